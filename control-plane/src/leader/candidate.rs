//! When a replica may take the Lease. Decides; asks and writes nothing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// What a Lease says, as far as it decides who holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Empty when it was released.
    pub(super) holder: String,
    /// By the holder's wall clock: told apart from another, never compared with a clock.
    pub(super) renewed_at: Option<Timestamp>,
    pub(super) transitions: i32,
    /// For how long the holder wants it respected.
    pub(super) duration: Duration,
}

/// What to do about a Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nobody holds it any more.
    Take,
    /// It is ours.
    Renew,
    /// Another holds it.
    Follow,
}

/// One replica's knowledge of the Lease.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    duration: Duration,
    /// With when it was first seen so.
    observed: Option<(Record, Instant)>,
}

/// What follows from a `record` that was first seen so at `observed_at`.
fn decide(
    (identity, duration): (&str, Duration),
    record: &Record,
    observed_at: Instant,
    now: Instant,
) -> Decision {
    // During an upgrade the holder may go by a longer duration than this replica does.
    let duration = duration.max(record.duration);
    if record.holder == identity {
        Decision::Renew
    } else if record.holder.is_empty() || now.duration_since(observed_at) >= duration {
        Decision::Take
    } else {
        Decision::Follow
    }
}

impl Candidate {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self {
            identity,
            duration,
            observed: None,
        }
    }

    /// Takes note of a Lease that was read, or of there being none, and says what to do.
    pub(super) fn on(&mut self, record: Option<Record>, now: Instant) -> Decision {
        let Some(record) = record else {
            self.observed = None;
            return Decision::Take;
        };
        let known = self.observed.take().filter(|(known, _)| *known == record);
        let (record, since) = self.observed.insert(known.unwrap_or((record, now)));
        decide((&self.identity, self.duration), record, *since, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);
    const DEADLINE: Duration = Duration::from_secs(10);

    fn held(holder: &str, renewed_at: i64) -> Record {
        Record {
            holder: holder.to_owned(),
            renewed_at: Some(Timestamp::from_second(renewed_at).unwrap()),
            transitions: 1,
            duration: DURATION,
        }
    }

    fn after(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_lease_is_taken_when_it_is_free_ours_or_was_not_renewed_while_we_looked() {
        let begin = Instant::now();
        for (record, age, expected) in [
            (held("me", 0), 0, Decision::Renew),
            (held("me", 0), 1_000, Decision::Renew),
            (held("", 0), 0, Decision::Take),
            (held("other", 0), 0, Decision::Follow),
            (held("other", 0), 14, Decision::Follow),
            (held("other", 0), 15, Decision::Take),
            (
                Record {
                    duration: after(60),
                    ..held("other", 0)
                },
                59,
                Decision::Follow,
            ),
        ] {
            let decision = decide(("me", DURATION), &record, begin, begin + after(age));
            assert_eq!(decision, expected, "{record:?} after {age} s");
        }
    }

    #[test]
    fn what_the_holders_clock_says_does_not_matter() {
        // Years behind, years ahead, and going backwards: each is a renewal when it differs.
        for clock in [-1_000_000_000, 4_000_000_000] {
            let (mut me, begin) = (Candidate::new("me".to_owned(), DURATION), Instant::now());
            for n in 0_u8..10 {
                let now = begin + after(14) * u32::from(n);
                let record = held("other", clock - i64::from(n));
                assert_eq!(me.on(Some(record), now), Decision::Follow);
            }
            let (last, now) = (held("other", clock - 9), begin + after(14) * 9);
            let look = |me: &mut Candidate, secs| me.on(Some(last.clone()), now + after(secs));
            assert_eq!(look(&mut me, 14), Decision::Follow);
            assert_eq!(look(&mut me, 15), Decision::Take);
        }
    }

    #[test]
    fn a_lease_that_is_gone_is_free_and_one_that_comes_is_seen_from_then_on() {
        let (mut me, begin) = (Candidate::new("me".to_owned(), DURATION), Instant::now());
        let record = || Some(held("other", 0));
        assert_eq!(me.on(record(), begin), Decision::Follow);
        assert_eq!(me.on(None, begin + after(1)), Decision::Take);
        assert_eq!(me.on(record(), begin + after(16)), Decision::Follow);
    }

    /// Two candidates, each with the end of its own leadership, on one Lease.
    struct Election {
        lease: Option<Record>,
        begin: Instant,
        candidates: [(Candidate, Option<Instant>); 2],
    }

    impl Election {
        fn new() -> Self {
            let candidate = |name: &str| (Candidate::new(name.to_owned(), DURATION), None);
            Self {
                lease: None,
                begin: Instant::now(),
                candidates: [candidate("0"), candidate("1")],
            }
        }

        /// One look of one candidate, whose clock shows what it likes.
        fn look(&mut self, which: usize, second: u64) {
            let now = self.begin + after(second);
            let (candidate, until) = &mut self.candidates[which];
            match candidate.on(self.lease.clone(), now) {
                Decision::Take | Decision::Renew => {
                    let clock =
                        i64::try_from(second).unwrap() - 500 * i64::try_from(which).unwrap();
                    self.lease = Some(held(&which.to_string(), clock));
                    *until = Some(now + DEADLINE);
                }
                Decision::Follow => *until = None,
            }
        }

        fn leaders(&self, second: u64) -> Vec<usize> {
            let now = self.begin + after(second);
            let leads = |which: &usize| self.candidates[*which].1.is_some_and(|until| now < until);
            (0..2).filter(leads).collect()
        }
    }

    #[test]
    fn two_candidates_never_lead_at_once_and_one_takes_over_when_the_other_is_gone() {
        let mut election = Election::new();
        for second in 0..100 {
            // The first is gone from the 41st second on, the API server is away for 30.
            let is_away = (60..90).contains(&second);
            if second % 5 == 0 && second <= 40 {
                election.look(0, second);
            }
            if second % 2 == 1 && !is_away {
                election.look(1, second);
            }
            let expected: &[usize] = match second {
                0..50 => &[0],
                57..69 | 91.. => &[1],
                // Nobody, rather than two.
                _ => &[],
            };
            assert_eq!(election.leaders(second), expected, "second {second}");
        }
    }

    #[test]
    fn after_an_outage_the_holder_leads_again_or_another_who_comes_later_waits() {
        let mut election = Election::new();
        election.look(0, 0);
        election.look(1, 1);
        assert_eq!(election.leaders(29), [0; 0]);
        election.look(0, 31);
        election.look(1, 32);
        assert_eq!(election.leaders(32), [0]);
    }
}
