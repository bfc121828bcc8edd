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

/// The writes of one sort of status.
#[derive(Debug)]
pub(super) struct StatusWrites {
    what: Written,
    metrics: WriterMetrics,
    /// What could not be written, and from when on it is tried again.
    failed: BTreeMap<ObjectId, Instant>,
}

impl StatusWrites {
    pub(super) fn new(what: Written, metrics: WriterMetrics) -> Self {
        Self {
            what,
            metrics,
            failed: BTreeMap::new(),
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
        match result {
            Ok(written) => return Some(written),
            // The watch tells how it is now.
            Err(Unwritten::Conflict(_) | Unwritten::Absent) => {}
            Err(Unwritten::Refused(error) | Unwritten::Failed(error)) => {
                tracing::warn!(object = %id, error, "status not written, trying again");
            }
        }
        self.failed.insert(id.clone(), Instant::now() + RETRY);
        None
    }
}
