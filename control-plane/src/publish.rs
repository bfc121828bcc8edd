//! From a reload to everyone who waits for the next snapshot.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use tokio::{sync::watch, task::block_in_place};

use crate::{index::Index, metrics::Metrics, object::Finding, snapshot::Snapshot, source::Reload};

/// From so many changes on, taking them in may last: other tasks go to other threads meanwhile.
const MANY_CHANGES: usize = 100;

/// Owns the index, and says what it comes to.
#[derive(Debug)]
pub struct Publisher {
    index: Index,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    metrics: Metrics,
    found: Arc<BTreeSet<Finding>>,
}

impl Publisher {
    /// A publisher of an index; nobody hears of it before the first reload.
    pub fn new(
        index: Index,
        snapshots: watch::Sender<Option<Arc<Snapshot>>>,
        metrics: Metrics,
    ) -> Self {
        Self {
            index,
            snapshots,
            metrics,
            found: Arc::default(),
        }
    }

    /// What a source calls, on a runtime with several threads.
    pub fn publishing(mut self) -> impl FnMut(Reload) + Send {
        move |reload| {
            if reload.changes.len() < MANY_CHANGES {
                self.publish(reload);
            } else {
                block_in_place(|| self.publish(reload));
            }
        }
    }

    /// Takes in what a source saw, and publishes what differs.
    pub fn publish(&mut self, reload: Reload) {
        let Reload {
            changes,
            findings,
            took,
        } = reload;
        let (n_changes, begin) = (changes.len(), Instant::now());
        let next = self.index.apply(changes, findings);
        let is_first = self.snapshots.borrow().is_none();
        if next.is_none() && !is_first {
            return;
        }
        let snapshot = next.unwrap_or_else(|| self.index.snapshot());
        self.snapshots.send_replace(Some(Arc::clone(&snapshot)));
        let took = took + begin.elapsed();
        tracing::debug!(
            n_changes,
            sequence = snapshot.sequence,
            renewed = ?self.index.renewed(),
            ?took,
            "table changed"
        );
        self.metrics.reloaded(took, &self.index, &snapshot);
        self.log_findings(&snapshot);
    }

    /// Each finding once when it comes, and once when it is gone.
    fn log_findings(&mut self, snapshot: &Snapshot) {
        // Hardly ever does a change of an endpoint find anything.
        if Arc::ptr_eq(&self.found, &snapshot.findings) {
            return;
        }
        for Finding {
            object,
            field,
            reason,
            ..
        } in snapshot.findings.difference(&self.found)
        {
            tracing::warn!(object, field, reason, "something is wrong with an object");
        }
        for Finding {
            object,
            field,
            reason,
            ..
        } in self.found.difference(&snapshot.findings)
        {
            tracing::info!(object, field, reason, "no longer wrong");
        }
        self.found = Arc::clone(&snapshot.findings);
    }
}
