//! Whether the filters that matter have what a snapshot says.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Shared, scope::Scope};
use crate::{index::Origin, snapshot::Snapshot};

/// Snapshots that answers are kept for, until a worker says something new.
const MAX_KEPT: usize = 8;

/// How far the filter workers of some routes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// There is none.
    NoWorker,
    /// Some have not applied it, or refused it.
    Waiting {
        /// So many.
        n_behind: usize,
    },
    /// All have it, or something newer.
    All,
}

/// What all filter workers have applied. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub struct Acks {
    shared: Arc<Shared>,
    kept: Arc<Mutex<Kept>>,
}

/// Ten thousand objects ask about one snapshot: what is the same for all of them.
#[derive(Debug, Default)]
struct Kept {
    /// The state of the workers, and the newest snapshot, that it is about.
    valid: (u64, u64),
    by_sequence: BTreeMap<u64, Arc<[Tally]>>,
}

/// The workers of one scope.
#[derive(Debug)]
struct Tally {
    scope: Arc<Scope>,
    n_workers: usize,
    n_behind: usize,
}

impl Acks {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let kept = Arc::default();
        Self { shared, kept }
    }

    /// Whether all filter workers that get routes of any of `origins` have `snapshot`, or a newer one.
    ///
    /// Who waits for one change in a table that never rests asks about the snapshot that had it first.
    pub fn applied(&self, snapshot: &Arc<Snapshot>, origins: &[Arc<Origin>]) -> Applied {
        let (mut n_workers, mut n_behind) = (0, 0);
        for tally in self.tallies(snapshot).iter() {
            if origins.iter().any(|origin| tally.scope.has(origin)) {
                n_workers += tally.n_workers;
                n_behind += tally.n_behind;
            }
        }
        match (n_workers, n_behind) {
            (0, _) => Applied::NoWorker,
            (_, 0) => Applied::All,
            (_, n_behind) => Applied::Waiting { n_behind },
        }
    }

    /// Changes when a worker comes, goes, applies or refuses something: an answer may be another.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.workers.changed()
    }

    fn tallies(&self, snapshot: &Arc<Snapshot>) -> Arc<[Tally]> {
        let newest = self.shared.snapshots.borrow().clone();
        let newest = newest.filter(|newest| newest.sequence > snapshot.sequence);
        let newest_sequence = newest.as_ref().unwrap_or(snapshot).sequence;
        let mut kept = self.kept.lock();
        let valid = (self.shared.workers.generation(), newest_sequence);
        if kept.valid != valid || kept.by_sequence.len() >= MAX_KEPT {
            *kept = Kept {
                valid,
                by_sequence: BTreeMap::new(),
            };
        }
        let of_snapshot = kept.by_sequence.entry(snapshot.sequence);
        let tallies = of_snapshot.or_insert_with(|| self.count(snapshot, newest.as_ref()));
        Arc::clone(tallies)
    }

    fn count(&self, snapshot: &Snapshot, newest: Option<&Arc<Snapshot>>) -> Arc<[Tally]> {
        let standings = self.shared.workers.standings();
        let of_scope = |(scope, of_scope): (&Arc<Scope>, &BTreeMap<_, usize>)| {
            let views = &self.shared.views;
            let mut good = views.versions(scope, snapshot, snapshot.sequence);
            if let Some(newest) = newest {
                good.extend(views.versions(scope, newest, snapshot.sequence));
            }
            let is_behind = |version: &Option<String>| {
                version
                    .as_ref()
                    .is_none_or(|version| !good.contains(version))
            };
            let behind = of_scope.iter().filter(|(version, _)| is_behind(version));
            Tally {
                scope: Arc::clone(scope),
                n_workers: of_scope.values().sum(),
                n_behind: behind.map(|(_, n_workers)| n_workers).sum(),
            }
        };
        standings.scopes().map(of_scope).collect()
    }
}
