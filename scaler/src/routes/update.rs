//! Chunks of an update, until the last puts them in force.

use thiserror::Error;
use wakegate_core::Workload;
use wakegate_wire::{DecodeError, v1};

/// What of an update came so far.
#[derive(Debug, Default)]
pub(super) struct Pending {
    update: WorkloadUpdate,
    n_chunks: u32,
    refused: Option<UpdateError>,
}

/// A difference between two tables, as far as a scaler cares.
#[derive(Debug, Default, PartialEq)]
pub(super) struct WorkloadUpdate {
    pub(super) full: bool,
    pub(super) workloads: Vec<Workload>,
    pub(super) removed: Vec<String>,
}

/// Why an update is refused whole.
#[derive(Debug, Error)]
pub(super) enum UpdateError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("a difference came before the first full table")]
    NoTable,
}

impl Pending {
    /// Takes in a chunk; gives the update with the last.
    pub(super) fn push(
        &mut self,
        chunk: v1::Update,
        has_table: bool,
    ) -> Result<Option<WorkloadUpdate>, UpdateError> {
        if self.n_chunks == 0 {
            self.update.full = chunk.full;
            if !chunk.full && !has_table {
                self.refused = Some(UpdateError::NoTable);
            }
        }
        self.n_chunks = self.n_chunks.saturating_add(1);
        let last = chunk.last;
        if self.refused.is_none() {
            self.refused = self.take_in(chunk).err().map(UpdateError::from);
        }
        if !last {
            return Ok(None);
        }
        let done = std::mem::take(self);
        done.refused.map_or(Ok(Some(done.update)), Err)
    }

    fn take_in(&mut self, chunk: v1::Update) -> Result<(), DecodeError> {
        for workload in chunk.workloads {
            self.update.workloads.push(workload.try_into()?);
        }
        self.update.removed.extend(chunk.removed_workloads);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(id: &str, last: bool) -> v1::Update {
        let workload = v1::Workload {
            id: id.to_owned(),
            namespace: "shop".to_owned(),
            ..v1::Workload::default()
        };
        v1::Update {
            full: true,
            last,
            workloads: vec![workload],
            ..v1::Update::default()
        }
    }

    #[test]
    fn chunks_are_in_force_together() {
        let mut pending = Pending::default();
        assert_eq!(pending.push(chunk("a", false), false).unwrap(), None);
        let update = pending.push(chunk("b", true), false).unwrap().unwrap();
        assert!(update.full);
        assert_eq!(update.workloads.len(), 2);
    }

    #[test]
    fn one_bad_workload_refuses_the_update_and_not_the_next() {
        let mut pending = Pending::default();
        assert_eq!(pending.push(chunk("", false), false).unwrap(), None);
        let error = pending.push(chunk("b", true), false).unwrap_err();
        assert_eq!(error.to_string(), "workload: id is missing");
        assert!(pending.push(chunk("b", true), false).unwrap().is_some());
    }

    #[test]
    fn a_difference_needs_a_table() {
        let difference = || v1::Update {
            full: false,
            ..chunk("a", true)
        };
        let mut pending = Pending::default();
        let error = pending.push(difference(), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a difference came before the first full table"
        );
        assert!(pending.push(difference(), true).unwrap().is_some());
    }
}
