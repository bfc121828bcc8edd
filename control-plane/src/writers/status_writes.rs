//! Writes of status: what became of each, and what is tried again.

use std::{collections::BTreeMap, time::Duration};

use kube::api::PatchParams;
use tokio::time::Instant;

use super::{
    FIELD_MANAGER,
    metrics::{WriteOutcome, WriterMetrics, Written},
    write::Unwritten,
};
use crate::object::ObjectId;

/// When a status that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The same when somebody wrote in between, or when the watch told of a version before the last that was written here: it
/// tells of the newest at any moment. Once; then it takes its time as with all else.
const AGAIN: Duration = Duration::from_millis(200);

/// The writes of one sort of status.
#[derive(Debug)]
pub(super) struct StatusWrites {
    what: Written,
    metrics: WriterMetrics,
    /// What could not be written, and from when on it is tried again.
    failed: BTreeMap<ObjectId, Instant>,
    /// Of which a write was a conflict of late, and when.
    conflicted: BTreeMap<ObjectId, Instant>,
}

impl StatusWrites {
    pub(super) fn new(what: Written, metrics: WriterMetrics) -> Self {
        Self {
            what,
            metrics,
            failed: BTreeMap::new(),
            conflicted: BTreeMap::new(),
        }
    }

    /// How a merge is sent.
    pub(super) fn params() -> PatchParams {
        PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        }
    }

    /// When something is to be tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.failed.values().min().copied()
    }

    /// Takes up what is due again.
    pub(super) fn begin_round(&mut self) {
        let now = Instant::now();
        self.failed.retain(|_, at| *at > now);
        self.conflicted.retain(|_, at| *at + 2 * RETRY > now);
    }

    /// Whether an object rests before its next try.
    pub(super) fn rests(&self, id: &ObjectId) -> bool {
        self.failed.contains_key(id)
    }

    /// What was written; none where it is tried again.
    pub(super) fn settle<T>(&mut self, id: &ObjectId, result: Result<T, Unwritten>) -> Option<T> {
        let outcome = result
            .as_ref()
            .map_or_else(Unwritten::outcome, |_| WriteOutcome::Done);
        self.metrics.wrote(self.what, outcome);
        let error = match result {
            Ok(written) => {
                self.conflicted.remove(id);
                return Some(written);
            }
            Err(error) => error,
        };
        let now = Instant::now();
        let wait = match error {
            Unwritten::Conflict(_) if self.conflicted.insert(id.clone(), now).is_none() => AGAIN,
            Unwritten::Conflict(_) | Unwritten::Absent => RETRY,
            Unwritten::Refused(error) | Unwritten::Failed(error) => {
                tracing::warn!(object = %id, error, "status not written, trying again");
                RETRY
            }
        };
        self.failed.insert(id.clone(), now + wait);
        None
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::object::Kind;

    #[tokio::test(start_paused = true)]
    async fn the_first_conflict_is_tried_again_soon_and_the_next_in_time() {
        let metrics = WriterMetrics::register(&mut Registry::default());
        let mut writes = StatusWrites::new(Written::WakePolicyStatus, metrics);
        let id = ObjectId::new(Kind::WakePolicy, "shop", "web");
        let mut wait_after = |result: Result<(), Unwritten>| {
            writes.failed.clear();
            writes.settle(&id, result);
            let at = writes.retry_at();
            at.map(|at| at.saturating_duration_since(Instant::now()))
        };
        let conflict = || Err(Unwritten::Conflict(String::new()));
        for _ in 0..2 {
            assert_eq!(wait_after(conflict()), Some(AGAIN));
            assert_eq!(wait_after(conflict()), Some(RETRY));
            assert_eq!(wait_after(Err(Unwritten::Absent)), Some(RETRY));
            assert_eq!(wait_after(Ok(())), None);
        }
    }
}
