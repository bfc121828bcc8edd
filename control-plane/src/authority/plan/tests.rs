//! Rules one by one, and the promise over random times: whatever is in use, everybody trusts everybody.

use std::collections::BTreeMap;

use proptest::{
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    test_runner::{Config as ProptestConfig, TestCaseError},
};

use super::*;

const LIFETIMES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(1_000),
    certificate: Duration::from_secs(200),
    overlap: Duration::from_secs(50),
};

/// Some time in 2026.
const BEGIN: Time = Duration::from_secs(1_790_000_000);

fn at(seconds: u64) -> Time {
    BEGIN + Duration::from_secs(seconds)
}

fn ca(number: u8, from: u64) -> Ca {
    Ca {
        id: [number; 32],
        term: LIFETIMES.of_authority(at(from)),
    }
}

fn state() -> State {
    State {
        current: ca(1, 0),
        next: None,
        previous: BTreeSet::new(),
        previous_until: Time::ZERO,
    }
}

/// What a Secret has that is written now.
fn written(state: &State, held: Option<&Held>, lifetimes: Lifetimes, now: Time) -> Held {
    Held {
        signer: Some(state.current.id),
        term: lifetimes.of_certificate(state.current.term, now),
        bundle: state.bundle(),
        bundle_since: state.bundle_since(held, now),
        is_as_wanted: true,
    }
}

/// The state after a step.
fn after(state: &State, step: Step, made: impl FnOnce() -> Ca) -> State {
    let mut state = state.clone();
    match step {
        Step::Stay => {}
        Step::Prepare => state.next = Some(made()),
        Step::Promote { previous_until } => {
            state.previous.insert(state.current.id);
            state.previous_until = previous_until;
            state.current = state.next.take().unwrap();
        }
        Step::Forget => state.previous.clear(),
    }
    state
}

#[test]
fn the_defaults_fit_and_lives_that_are_too_short_do_not() {
    assert!(Lifetimes::default().fit() && LIFETIMES.fit());
    let second = Duration::from_secs(1);
    for wrong in [
        Lifetimes {
            overlap: Duration::ZERO,
            ..LIFETIMES
        },
        Lifetimes {
            overlap: LIFETIMES.overlap + second,
            ..LIFETIMES
        },
        Lifetimes {
            authority: LIFETIMES.authority.saturating_sub(second),
            ..LIFETIMES
        },
    ] {
        assert!(!wrong.fit(), "{wrong:?}");
    }
}

#[test]
fn an_authority_gets_a_successor_in_the_last_third_of_its_life() {
    let step = |now| state().step([].into_iter(), LIFETIMES, at(now));
    assert_eq!(step(0), Step::Stay);
    assert_eq!(step(666), Step::Stay);
    assert_eq!(step(667), Step::Prepare);
}

#[test]
fn a_successor_signs_once_every_secret_has_named_it_for_the_overlap() {
    let before = state();
    let known = after(&before, Step::Prepare, || ca(2, 700));
    let old = written(&before, None, LIFETIMES, at(690));
    let [first, last] = [700, 710].map(|now| written(&known, Some(&old), LIFETIMES, at(now)));
    let step = |held: &[&Held], now| known.step(held.iter().copied().map(Some), LIFETIMES, at(now));
    assert_eq!(step(&[&first, &old], 799), Step::Stay);
    assert_eq!(step(&[&first, &last], 759), Step::Stay);
    let previous_until = at(760 + 200);
    assert_eq!(
        step(&[&first, &last], 760),
        Step::Promote { previous_until }
    );
    // A renewal in between tells nobody anything new.
    let renewed = written(&known, Some(&last), LIFETIMES, at(755));
    assert_eq!(step(&[&renewed], 760), Step::Promote { previous_until });
}

#[test]
fn a_secret_that_cannot_be_written_is_waited_for_as_long_as_the_others_lose_nothing() {
    let known = after(&state(), Step::Prepare, || ca(2, 700));
    let old = written(&state(), None, LIFETIMES, at(690));
    for held in [Some(&old), None] {
        let step = |now| known.step([held].into_iter(), LIFETIMES, at(now));
        assert_eq!(step(799), Step::Stay);
        let previous_until = at(1_000);
        assert_eq!(step(800), Step::Promote { previous_until });
    }
}

#[test]
fn a_successor_that_has_ended_before_it_signed_has_a_successor_itself() {
    let known = after(&state(), Step::Prepare, || ca(2, 700));
    let step = known.step([].into_iter(), LIFETIMES, at(1_700));
    assert_eq!(step, Step::Prepare);
}

#[test]
fn an_authority_is_known_until_all_that_it_signed_has_ended() {
    let known = after(&state(), Step::Prepare, || ca(2, 700));
    let previous_until = at(960);
    let now = after(&known, Step::Promote { previous_until }, || unreachable!());
    assert_eq!(now.bundle(), [[1; 32], [2; 32]].into());
    assert_eq!(now.step([].into_iter(), LIFETIMES, at(959)), Step::Stay);
    assert_eq!(now.step([].into_iter(), LIFETIMES, at(960)), Step::Forget);
    let forgotten = after(&now, Step::Forget, || unreachable!());
    assert_eq!(forgotten.bundle(), [[2; 32]].into());
    assert_eq!(
        forgotten.step([].into_iter(), LIFETIMES, at(961)),
        Step::Stay
    );
}

#[test]
fn a_certificate_is_renewed_in_the_last_third_of_its_life_or_when_it_no_longer_fits() {
    let state = state();
    let held = written(&state, None, LIFETIMES, at(0));
    let renewal = |held: &Held, now| state.renewal(Some(held), at(now));
    assert_eq!(state.renewal(None, at(0)), Some(Renewal::Absent));
    assert_eq!(renewal(&held, 133), None);
    assert_eq!(renewal(&held, 134), Some(Renewal::Age));
    let unlike = Held {
        is_as_wanted: false,
        ..held.clone()
    };
    assert_eq!(renewal(&unlike, 0), Some(Renewal::Unlike));
    let by_another = Held {
        signer: None,
        ..held.clone()
    };
    assert_eq!(renewal(&by_another, 0), Some(Renewal::Signer));
    let knows_less = Held {
        bundle: BTreeSet::new(),
        ..held
    };
    assert_eq!(renewal(&knows_less, 0), Some(Renewal::Bundle));
}

#[test]
fn a_certificate_ends_with_its_authority_at_the_latest() {
    let signer = ca(1, 0).term;
    assert_eq!(LIFETIMES.of_certificate(signer, at(799)).until, at(999));
    assert_eq!(LIFETIMES.of_certificate(signer, at(900)).until, at(1_000));
}

const N_HOLDERS: usize = 4;

/// One look of the leader, and what happens until then.
#[derive(Clone, Debug)]
struct Moment {
    /// Since the last, in hundredths of the longest.
    wait: u32,
    /// The leader dies after so many writes.
    n_writes: usize,
    /// Until each holder reads its Secret again, in hundredths of the overlap.
    until_read: [u32; N_HOLDERS],
    /// Somebody deletes a Secret.
    deleted: Option<usize>,
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let n_writes = prop_oneof![3 => Just(usize::MAX), 1 => 0..6_usize];
    let until_read =
        prop_oneof![2 => [1..=100_u32, 1..=100, 1..=100, 1..=100], 1 => Just([100; N_HOLDERS])];
    let deleted = prop_oneof![50 => Just(None), 1 => (0..N_HOLDERS).prop_map(Some)];
    let wait = prop_oneof![1 => 1..=100_u32, 1 => Just(100)];
    let moment =
        (wait, n_writes, until_read, deleted).prop_map(|(wait, n_writes, until_read, deleted)| {
            Moment {
                wait,
                n_writes,
                until_read,
                deleted,
            }
        });
    proptest::collection::vec(moment, 600..900)
}

/// Secrets, and who has read what of them.
struct World {
    lifetimes: Lifetimes,
    now: Time,
    state: Option<State>,
    known: BTreeMap<AuthorityId, Term>,
    secrets: [Option<Held>; N_HOLDERS],
    in_use: [Option<Held>; N_HOLDERS],
    reads_at: [Time; N_HOLDERS],
    n_promotions: usize,
}

impl World {
    fn new(lifetimes: Lifetimes) -> Self {
        Self {
            lifetimes,
            now: BEGIN,
            state: None,
            known: BTreeMap::new(),
            secrets: [const { None }; N_HOLDERS],
            in_use: [const { None }; N_HOLDERS],
            reads_at: [BEGIN; N_HOLDERS],
            n_promotions: 0,
        }
    }

    fn live(&mut self, moment: &Moment) -> Result<(), TestCaseError> {
        let end = self.now + self.lifetimes.overlap / 16 * moment.wait / 100;
        // Holders read one by one, and after each read all that is in use has to fit.
        while let Some((holder, at)) = self.next_read().filter(|(_, at)| *at <= end) {
            self.now = self.now.max(at);
            let wait = if let Some(secret) = &self.secrets[holder] {
                self.in_use[holder] = Some(secret.clone());
                self.lifetimes.overlap * moment.until_read[holder] / 100
            } else {
                // Who finds nothing looks again, as a kubelet does.
                self.lifetimes.overlap / 16
            };
            self.reads_at[holder] = self.now + wait;
            self.check()?;
        }
        self.now = end;
        if let Some(deleted) = moment.deleted {
            self.secrets[deleted] = None;
        }
        self.look(moment.n_writes);
        self.check()
    }

    fn next_read(&self) -> Option<(usize, Time)> {
        self.reads_at
            .iter()
            .copied()
            .enumerate()
            .min_by_key(|(_, at)| *at)
    }

    fn made(&mut self) -> Ca {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&u64::try_from(self.known.len()).unwrap().to_be_bytes());
        let term = self.lifetimes.of_authority(self.now);
        self.known.insert(id, term);
        Ca { id, term }
    }

    /// One look of a leader; whatever it has written stays when it dies.
    fn look(&mut self, n_writes: usize) {
        let mut left = n_writes;
        let mut may_write = || left.checked_sub(1).map(|less| left = less).is_some();
        loop {
            let held = self.secrets.iter().map(Option::as_ref);
            let known = self.state.as_ref();
            let step = known.map(|state| state.step(held, self.lifetimes, self.now));
            if step == Some(Step::Stay) {
                break;
            }
            if !may_write() {
                return;
            }
            self.n_promotions += usize::from(matches!(step, Some(Step::Promote { .. })));
            self.state = Some(match (self.state.take(), step) {
                (Some(state), Some(step)) => after(&state, step, || self.made()),
                (None, _) | (_, None) => State {
                    current: self.made(),
                    ..state()
                },
            });
        }
        let state = self.state.as_ref().unwrap();
        for secret in &mut self.secrets {
            if state.renewal(secret.as_ref(), self.now).is_some() {
                if !may_write() {
                    return;
                }
                *secret = Some(written(state, secret.as_ref(), self.lifetimes, self.now));
            }
        }
    }

    /// Everybody trusts everybody, and nothing that is in use has ended.
    fn check(&self) -> Result<(), TestCaseError> {
        for shown in self.in_use.iter().flatten() {
            prop_assert!(self.now < shown.term.until, "a certificate has ended");
            let signer = shown.signer.unwrap();
            prop_assert!(
                self.now < self.known[&signer].until,
                "its authority has ended"
            );
            // Who reads late knows one that has just ended, and which nobody shows any more.
            let late = self.lifetimes.overlap + self.lifetimes.overlap / 4;
            let is_old = |known| self.now >= self.known[known].until + late;
            prop_assert!(
                !shown.bundle.iter().any(is_old),
                "an authority is not forgotten"
            );
            for asked in self.in_use.iter().flatten() {
                let signer = shown.signer.unwrap();
                prop_assert!(
                    asked.bundle.contains(&signer),
                    "{shown:?} against {asked:?}"
                );
            }
        }
        Ok(())
    }
}

/// How late a leader may be is bounded: no two die one after the other.
fn bounded(moments: Vec<Moment>) -> impl Iterator<Item = Moment> {
    let mut was_cut = false;
    moments.into_iter().map(move |mut moment| {
        if was_cut {
            moment.n_writes = usize::MAX;
        }
        was_cut = moment.n_writes != usize::MAX;
        moment
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_trusts_everybody_while_authorities_come_and_go(
        moments in moments(),
        is_tight in any::<bool>(),
    ) {
        let lifetimes = if is_tight {
            LIFETIMES
        } else {
            Lifetimes { certificate: LIFETIMES.certificate * 2, authority: LIFETIMES.authority * 3, ..LIFETIMES }
        };
        prop_assert!(lifetimes.fit());
        let mut world = World::new(lifetimes);
        for moment in bounded(moments) {
            world.live(&moment)?;
        }
        // They did come and go: the next one signs with a fifth of the life before it left.
        let n_lives = world.now.saturating_sub(BEGIN).as_secs() / lifetimes.authority.as_secs();
        prop_assert!(world.n_promotions >= usize::try_from(n_lives).unwrap());
        let n_signed = world.known.len() - usize::from(world.state.unwrap().next.is_some());
        prop_assert_eq!(n_signed, world.n_promotions + 1);
    }
}
