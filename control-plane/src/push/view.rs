//! What a scope has of the table, kept for all subscribers of that scope and brought forward by the
//! differences between snapshots.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use wakegate_core::{BackendId, RouteId};
use wakegate_wire::v1;

use super::scope::Scope;
use crate::snapshot::{Changed, Entity, HISTORY, RouteEntry, Snapshot, Version};

/// Scopes that are kept. One more replaces the one that was used least lately, which costs its next
/// subscriber a full table and nothing else.
const MAX_VIEWS: usize = 64;

/// The views of all scopes.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: Mutex<BTreeMap<Scope, View>>,
}

/// What a subscriber is to be sent.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// What it has counts for nothing.
    pub(super) is_full: bool,
    pub(super) version: Version,
    pub(super) routes: Vec<Arc<RouteEntry>>,
    pub(super) removed_routes: Vec<RouteId>,
    pub(super) backends: Vec<Arc<Entity<v1::Backend>>>,
    pub(super) removed_backends: Vec<BackendId>,
    pub(super) workloads: Vec<Arc<Entity<v1::Workload>>>,
    pub(super) removed_workloads: Vec<Arc<str>>,
}

#[derive(Debug, Default)]
struct View {
    /// The snapshot that it stands at; none before the first.
    sequence: Option<u64>,
    used: u64,
    version: Version,
    routes: BTreeMap<RouteId, Arc<RouteEntry>>,
    /// With the number of routes that lead there.
    n_routes: BTreeMap<BackendId, usize>,
    backends: BTreeMap<BackendId, Arc<Entity<v1::Backend>>>,
    workloads: BTreeMap<Arc<str>, Arc<Entity<v1::Workload>>>,
    recent: VecDeque<Step>,
}

/// One change of a view.
#[derive(Debug)]
struct Step {
    before: Version,
    /// The last snapshot that is known to have had it; none had it when it is what a view begins with.
    last: Option<u64>,
    changed: Changed,
}

impl Views {
    /// What leads from the version that a subscriber `has` to `snapshot`; nothing if it is there.
    pub(super) fn difference(
        &self,
        scope: &Scope,
        snapshot: &Snapshot,
        has: Option<&str>,
    ) -> Option<Difference> {
        self.with(scope, snapshot, |view| view.difference(has))
    }

    /// The versions of the snapshot `since` and of all later ones, up to `snapshot` or what is newer.
    pub(super) fn versions(
        &self,
        scope: &Scope,
        snapshot: &Snapshot,
        since: u64,
    ) -> BTreeSet<String> {
        self.with(scope, snapshot, |view| {
            let steps = view.recent.iter().filter(|step| step.last >= Some(since));
            let versions = steps.map(|step| step.before).chain([view.version]);
            versions.map(|version| version.to_string()).collect()
        })
    }

    /// The view of `scope` at `snapshot`, or at a newer one.
    fn with<T>(&self, scope: &Scope, snapshot: &Snapshot, of: impl FnOnce(&View) -> T) -> T {
        let mut views = self.views.lock();
        let used = views
            .values()
            .map(|view| view.used)
            .max()
            .unwrap_or_default()
            + 1;
        if !views.contains_key(scope) && views.len() >= MAX_VIEWS {
            let oldest = views.iter().min_by_key(|(_, view)| view.used);
            let oldest = oldest.map(|(scope, _)| scope.clone());
            oldest.map(|scope| views.remove(&scope));
        }
        let view = views.entry(scope.clone()).or_default();
        view.used = used;
        view.advance(scope, snapshot);
        of(view)
    }
}

impl View {
    fn advance(&mut self, scope: &Scope, snapshot: &Snapshot) {
        // A subscriber may hold an older snapshot than the one that brought this view here.
        if self
            .sequence
            .is_some_and(|sequence| sequence >= snapshot.sequence)
        {
            return;
        }
        let known = self
            .sequence
            .and_then(|sequence| snapshot.changed_since(sequence));
        let candidates = known.unwrap_or_else(|| self.everything(snapshot));
        let before = self.version;
        let mut changed = Changed::default();
        if scope.is_scaler {
            self.advance_workloads(scope, snapshot, &candidates, &mut changed);
        } else {
            let mut backends = candidates.backends.clone();
            self.advance_routes(scope, snapshot, &candidates, (&mut changed, &mut backends));
            self.advance_backends(snapshot, backends, &mut changed);
        }
        let last = self.sequence.replace(snapshot.sequence);
        if !changed.is_empty() {
            self.recent.push_back(Step {
                before,
                last,
                changed,
            });
            if self.recent.len() > HISTORY {
                self.recent.pop_front();
            }
        }
    }

    /// Every id that is here or there.
    fn everything(&self, snapshot: &Snapshot) -> Changed {
        Changed {
            sequence: snapshot.sequence,
            routes: self
                .routes
                .keys()
                .chain(snapshot.routes.keys())
                .cloned()
                .collect(),
            backends: self
                .backends
                .keys()
                .chain(snapshot.backends.keys())
                .cloned()
                .collect(),
            workloads: self
                .workloads
                .keys()
                .chain(snapshot.workloads.keys())
                .cloned()
                .collect(),
            services: BTreeSet::new(),
        }
    }

    fn advance_routes(
        &mut self,
        scope: &Scope,
        snapshot: &Snapshot,
        candidates: &Changed,
        (changed, backends): (&mut Changed, &mut BTreeSet<BackendId>),
    ) {
        for id in &candidates.routes {
            let new = snapshot
                .routes
                .get(id)
                .filter(|route| scope.has(&route.origin))
                .cloned();
            let old = self.routes.remove(id);
            let (was, is) = (
                old.as_ref().map(|r| r.entity.digest),
                new.as_ref().map(|r| r.entity.digest),
            );
            for backend in old.iter().flat_map(|old| &old.backends) {
                backends.insert(backend.clone());
                if let Some(n_routes) = self.n_routes.get_mut(backend) {
                    *n_routes -= 1;
                    if *n_routes == 0 {
                        self.n_routes.remove(backend);
                    }
                }
            }
            for backend in new.iter().flat_map(|new| &new.backends) {
                backends.insert(backend.clone());
                *self.n_routes.entry(backend.clone()).or_default() += 1;
            }
            self.routes.extend(new.map(|new| (id.clone(), new)));
            if self.count(was, is) {
                changed.routes.insert(id.clone());
            }
        }
    }

    fn advance_backends(
        &mut self,
        snapshot: &Snapshot,
        candidates: BTreeSet<BackendId>,
        changed: &mut Changed,
    ) {
        for id in candidates {
            let is_wanted = self.n_routes.contains_key(&id);
            let new = snapshot.backends.get(&id).filter(|_| is_wanted).cloned();
            let is = new.as_ref().map(|backend| backend.digest);
            let was = self.backends.remove(&id).map(|backend| backend.digest);
            self.backends.extend(new.map(|new| (id.clone(), new)));
            if self.count(was, is) {
                changed.backends.insert(id);
            }
        }
    }

    fn advance_workloads(
        &mut self,
        scope: &Scope,
        snapshot: &Snapshot,
        candidates: &Changed,
        changed: &mut Changed,
    ) {
        for id in &candidates.workloads {
            let is_wanted = |workload: &&Arc<Entity<v1::Workload>>| {
                scope.has_namespace(&workload.message.namespace)
            };
            let new = snapshot.workloads.get(id).filter(is_wanted).cloned();
            let is = new.as_ref().map(|workload| workload.digest);
            let was = self.workloads.remove(id).map(|workload| workload.digest);
            self.workloads.extend(new.map(|new| (Arc::clone(id), new)));
            if self.count(was, is) {
                changed.workloads.insert(Arc::clone(id));
            }
        }
    }

    /// Brings the version forward; whether there is a difference.
    fn count(&mut self, was: Option<Version>, is: Option<Version>) -> bool {
        if was == is {
            return false;
        }
        let without = was.map_or(self.version, |was| self.version.without(was));
        self.version = is.map_or(without, |is| without.with(is));
        true
    }

    fn difference(&self, has: Option<&str>) -> Option<Difference> {
        let Some(has) = has else {
            return Some(self.full());
        };
        if has == self.version.to_string() {
            return None;
        }
        // From the newest: a table that came back to an older state has that version twice.
        let at = self
            .recent
            .iter()
            .rposition(|step| step.before.to_string() == has);
        let Some(at) = at else {
            return Some(self.full());
        };
        let mut difference = Difference {
            version: self.version,
            ..Difference::default()
        };
        let steps = || self.recent.iter().skip(at).map(|step| &step.changed);
        for id in union(steps().map(|changed| &changed.routes)) {
            match self.routes.get(id) {
                Some(route) => difference.routes.push(Arc::clone(route)),
                None => difference.removed_routes.push(id.clone()),
            }
        }
        for id in union(steps().map(|changed| &changed.backends)) {
            match self.backends.get(id) {
                Some(backend) => difference.backends.push(Arc::clone(backend)),
                None => difference.removed_backends.push(id.clone()),
            }
        }
        for id in union(steps().map(|changed| &changed.workloads)) {
            match self.workloads.get(id) {
                Some(workload) => difference.workloads.push(Arc::clone(workload)),
                None => difference.removed_workloads.push(Arc::clone(id)),
            }
        }
        Some(difference)
    }

    fn full(&self) -> Difference {
        Difference {
            is_full: true,
            version: self.version,
            routes: self.routes.values().cloned().collect(),
            backends: self.backends.values().cloned().collect(),
            workloads: self.workloads.values().cloned().collect(),
            ..Difference::default()
        }
    }
}

fn union<'a, T: Ord + 'a>(sets: impl Iterator<Item = &'a BTreeSet<T>>) -> BTreeSet<&'a T> {
    sets.flatten().collect()
}
