//! What is to be done about one ScaledObject, and when again.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{manifest::Manifest, observed::Observed};
use crate::{push::Applied, snapshot::Snapshot, wanted::WantedScaledObject};

/// What a write that failed waits at first, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// What it waits at most.
const LAST_RETRY: Duration = Duration::from_mins(5);

/// When a field that somebody else has is tried again although nothing changed: its owner may have let
/// it go without touching it.
const CONFLICT_RETRY: Duration = Duration::from_mins(10);

/// What a user has to know of one that waits for KEDA's certificate.
const NO_CERTIFICATE: &str = "no ScaledObject is written for it, because KEDA could not reach the scaler: the Secret \
    wakegate-keda-tls is not there; is KEDA in the namespace that --keda-namespace names?";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is as it is to be, or not ours, or on its way out.
    Nothing,
    /// It is missing, or it differs.
    Apply,
    /// Nobody wants it.
    Delete,
    /// It is to stay, and not ours any longer.
    LetGo,
}

/// What is awaited before one is written. Without the filters, of one that is not there, idle would be said of it, and
/// KEDA put it to sleep at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is no filter.
    All,
    /// Some filters are behind. How many would be news with each of them.
    Some,
    /// KEDA could not show who it is.
    Certificate,
}

/// What was tried last, and with what.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    wanted: Option<Arc<WantedScaledObject>>,
    observed: Option<Arc<Observed>>,
    state: State,
    n_failures: u32,
    /// What is being written is not what it is to be like by now.
    is_outdated: bool,
    /// Since when filters are awaited, and what they are to have.
    awaits: Option<(Instant, Arc<Snapshot>)>,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Not looked at yet.
    #[default]
    New,
    /// A write is under way.
    Running,
    /// Nothing is left to be done, unless one of the two changes.
    Settled,
    /// To be tried again.
    Until(Instant),
}

/// Whether an attempt is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    /// Not before.
    At(Instant),
    /// Not before something changes.
    Later,
}

/// Decides for one ScaledObject for which no filter is awaited.
pub(super) fn step(wanted: Option<&Manifest>, observed: Option<&Observed>) -> Step {
    match (wanted, observed) {
        (None, Some(observed)) if observed.is_ours && !observed.is_going => Step::Delete,
        (None, _) => Step::Nothing,
        // Once KEDA has let it go, it is missing.
        (Some(_), Some(observed)) if observed.is_going => Step::Nothing,
        (Some(wanted), observed) if wanted.is_let_go() => match observed {
            Some(observed) if observed.is_ours => Step::LetGo,
            Some(_) | None => Step::Nothing,
        },
        (Some(wanted), Some(observed)) if wanted.agrees_with(observed) => Step::Nothing,
        (Some(_), _) => Step::Apply,
    }
}

impl Missing {
    /// Those that have not applied its routes.
    pub(super) fn of(applied: Applied) -> Option<Self> {
        match applied {
            Applied::All => None,
            Applied::Waiting { .. } => Some(Self::Some),
            Applied::NoWorker => Some(Self::All),
        }
    }

    /// What a user has to know, with its reason.
    pub(super) fn notice(self) -> (&'static str, String) {
        let uncounted = |why| {
            let text = "no ScaledObject is made for it, so that nothing goes to zero uncounted";
            ("NoFilter", format!("{text}: {why}"))
        };
        match self {
            Self::All => uncounted("no Envoy with Wakegate's filter that serves it is connected"),
            Self::Some => {
                uncounted("an Envoy that serves it has not taken in its routes, see /debug/routes")
            }
            Self::Certificate => ("NoCertificate", NO_CERTIFICATE.to_owned()),
        }
    }
}

impl Attempt {
    /// Whether to look again, given what is wanted and what is there.
    pub(super) fn due(
        &mut self,
        now: Instant,
        wanted: Option<&Arc<WantedScaledObject>>,
        observed: Option<&Arc<Observed>>,
    ) -> Due {
        if self.state == State::Running {
            return Due::Later;
        }
        if !is_same(self.wanted.as_ref(), wanted) || !is_same(self.observed.as_ref(), observed) {
            *self = Self {
                wanted: wanted.cloned(),
                observed: observed.cloned(),
                ..Self::default()
            };
        }
        match self.state {
            State::Running | State::Settled => Due::Later,
            State::Until(at) if at > now => Due::At(at),
            State::New | State::Until(_) => Due::Now,
        }
    }

    /// Since when it waits for filters, and for what: the first snapshot that wanted it. In a table that never
    /// rests nobody has the newest.
    pub(super) fn awaits(
        &mut self,
        now: Instant,
        snapshot: &Arc<Snapshot>,
    ) -> (Instant, Arc<Snapshot>) {
        let awaits = self
            .awaits
            .get_or_insert_with(|| (now, Arc::clone(snapshot)));
        awaits.clone()
    }

    /// What it is to be like has changed.
    pub(super) fn reopen(&mut self) {
        if self.state == State::Running {
            self.is_outdated = true;
        } else {
            self.state = State::New;
        }
    }

    /// A write begins.
    pub(super) fn begin(&mut self) {
        self.state = State::Running;
    }

    /// It is done. `observed` is what came of it.
    pub(super) fn settle(&mut self, observed: Option<&Arc<Observed>>) {
        self.awaits = None;
        self.observed = observed.cloned();
        self.state = if std::mem::take(&mut self.is_outdated) {
            State::New
        } else {
            State::Settled
        };
        self.n_failures = 0;
    }

    /// Somebody else has a field.
    pub(super) fn conflicted(&mut self, now: Instant) {
        self.state = State::Until(now + CONFLICT_RETRY);
    }

    /// It was refused, or nobody answered.
    pub(super) fn failed(&mut self, now: Instant) {
        let factor = 2_u32.saturating_pow(self.n_failures);
        let wait = FIRST_RETRY.saturating_mul(factor).min(LAST_RETRY);
        self.n_failures = self.n_failures.saturating_add(1);
        self.state = State::Until(now + wait);
    }
}

fn is_same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::writers::scaled_objects::tests::{common, observed, wanted};

    #[test]
    fn a_new_one_waits_for_the_filters_and_then_what_differs_is_written() {
        let waiting = Applied::Waiting { n_behind: 1 };
        assert_eq!(Missing::of(Applied::NoWorker), Some(Missing::All));
        assert_eq!(Missing::of(waiting), Some(Missing::Some));
        assert_eq!(Missing::of(Applied::All), None);
        let manifest = Manifest::new(&wanted(), &common());
        let same = observed(&manifest, |_| {});
        let other = observed(&manifest, |object| {
            object["spec"]["maxReplicaCount"] = 7.into();
        });
        assert_eq!(step(Some(&manifest), None), Step::Apply);
        assert_eq!(step(Some(&manifest), Some(&same)), Step::Nothing);
        assert_eq!(step(Some(&manifest), Some(&other)), Step::Apply);
    }

    #[test]
    fn only_ours_is_deleted_and_once() {
        let manifest = Manifest::new(&wanted(), &common());
        let ours = observed(&manifest, |_| {});
        assert_eq!(step(None, Some(&ours)), Step::Delete);
        let foreign = observed(&manifest, |object| {
            object["metadata"]["managedFields"] = json!([]);
        });
        assert_eq!(step(None, Some(&foreign)), Step::Nothing);
        let going = observed(&manifest, |object| {
            object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        });
        assert_eq!(step(None, Some(&going)), Step::Nothing);
        assert_eq!(step(Some(&manifest), Some(&going)), Step::Nothing);
    }

    #[test]
    fn what_is_let_go_loses_our_marks_and_stays() {
        let mut wanted = wanted();
        let ours = observed(&Manifest::new(&wanted, &common()), |object| {
            let owners = object["metadata"]["ownerReferences"].as_array_mut();
            owners.unwrap().push(json!({"name": "other", "uid": "x"}));
        });
        wanted.is_let_go = true;
        let manifest = Manifest::new(&wanted, &common());
        assert_eq!(step(Some(&manifest), Some(&ours)), Step::LetGo);
        let patch = manifest.letting_go(&ours);
        let left = patch["metadata"]["ownerReferences"].as_array().unwrap();
        let left: Vec<&str> = left.iter().map(|it| it["uid"].as_str().unwrap()).collect();
        assert_eq!(left, ["x"]);
        let label = patch["metadata"]["labels"].as_object().unwrap();
        assert_eq!(label["app.kubernetes.io/managed-by"], json!(null));
        // Once it is nobody's it is not made anew.
        assert_eq!(step(Some(&manifest), None), Step::Nothing);
    }

    #[test]
    fn a_failure_is_tried_again_later_and_later() {
        let (mut now, wanted, mut attempt) =
            (Instant::now(), Arc::new(wanted()), Attempt::default());
        let mut waits = Vec::new();
        for _ in 0..11 {
            assert_eq!(attempt.due(now, Some(&wanted), None), Due::Now);
            attempt.begin();
            assert_eq!(attempt.due(now, Some(&wanted), None), Due::Later);
            attempt.failed(now);
            let Due::At(at) = attempt.due(now, Some(&wanted), None) else {
                panic!("not to be tried again");
            };
            waits.push((at - now).as_secs());
            now = at;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn a_conflict_rests_until_something_changes() {
        let manifest = Manifest::new(&wanted(), &common());
        let (now, wanted) = (Instant::now(), Arc::new(wanted()));
        let there = Arc::new(observed(&manifest, |_| {}));
        let mut attempt = Attempt::default();
        assert_eq!(attempt.due(now, Some(&wanted), Some(&there)), Due::Now);
        attempt.begin();
        attempt.conflicted(now);
        let at = now + Duration::from_mins(10);
        assert_eq!(attempt.due(now, Some(&wanted), Some(&there)), Due::At(at));
        assert_eq!(attempt.due(at, Some(&wanted), Some(&there)), Due::Now);
        attempt.conflicted(now);
        let changed = Arc::new(observed(&manifest, |_| {}));
        assert_eq!(attempt.due(now, Some(&wanted), Some(&changed)), Due::Now);
    }

    #[test]
    fn what_was_applied_is_looked_at_again_when_it_changes() {
        let manifest = Manifest::new(&wanted(), &common());
        let (now, wanted) = (Instant::now(), Arc::new(wanted()));
        let written = Arc::new(observed(&manifest, |_| {}));
        let mut attempt = Attempt::default();
        assert_eq!(attempt.due(now, Some(&wanted), None), Due::Now);
        attempt.begin();
        attempt.settle(Some(&written));
        assert_eq!(attempt.due(now, Some(&wanted), Some(&written)), Due::Later);
        assert_eq!(attempt.due(now, Some(&wanted), None), Due::Now);
    }
}
