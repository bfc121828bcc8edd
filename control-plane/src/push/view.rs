//! What a scope has of the table, kept for all subscribers of that scope and brought forward by the
//! differences between snapshots.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use wakegate_core::{BackendId, RouteId};
use wakegate_wire::v1;

use super::{scope::Scope, update::Update};
use crate::snapshot::{Changed, Entity, Remembered, RouteEntry, Snapshot, Version, remember};

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

/// An update for a subscriber, which others may be sent as well.
#[derive(Clone, Debug)]
pub(super) struct Next {
    pub(super) update: Arc<Update>,
    /// Whether the subscriber is there then. A whole table that is on its way to others is good enough for one
    /// that has none: what happened since is a small difference.
    pub(super) is_newest: bool,
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
    /// The updates to this version, by the version that they lead from.
    updates: BTreeMap<Version, Arc<Update>>,
    /// The whole table as it was last sent, while anybody is sent it: it is as large as the table.
    whole: Weak<Update>,
}

/// One change of a view.
#[derive(Debug)]
struct Step {
    before: Version,
    /// The last snapshot that is known to have had it; none had it when it is what a view begins with.
    last: Option<u64>,
    changed: Arc<Changed>,
}

impl Remembered for Step {
    fn n_ids(&self) -> usize {
        self.changed.n_ids()
    }
}

impl Views {
    /// What leads from the version that a subscriber `has` to `snapshot`; nothing if it is there.
    pub(super) fn next(
        &self,
        scope: &Scope,
        snapshot: &Snapshot,
        has: Option<&str>,
    ) -> Option<Next> {
        self.with(scope, snapshot, |view| view.next(has))
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
    fn with<T>(&self, scope: &Scope, snapshot: &Snapshot, of: impl FnOnce(&mut View) -> T) -> T {
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
            self.updates.clear();
            let changed = Arc::new(changed);
            let step = Step {
                before,
                last,
                changed,
            };
            remember(&mut self.recent, step);
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
                .and_then(|route| route.part_in(|origin| scope.has(origin)));
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

    fn next(&mut self, has: Option<&str>) -> Option<Next> {
        let has = has.and_then(Version::parse);
        if has == Some(self.version) {
            return None;
        }
        let known = has.and_then(|has| Some((has, self.step_from(has)?)));
        let Some((has, at)) = known else {
            return Some(self.whole());
        };
        if let Some(update) = self.updates.get(&has) {
            let update = Arc::clone(update);
            return Some(Next {
                update,
                is_newest: true,
            });
        }
        let update = Arc::new(Update::new(self.difference(at)));
        self.updates.insert(has, Arc::clone(&update));
        Some(Next {
            update,
            is_newest: true,
        })
    }

    /// The step that led away from a version.
    fn step_from(&self, version: Version) -> Option<usize> {
        // From the newest: a table that came back to an older state has that version twice.
        let mut steps = self.recent.iter();
        steps.rposition(|step| step.before == version)
    }

    /// The whole table.
    fn whole(&mut self) -> Next {
        if let Some(update) = self.whole.upgrade() {
            let is_newest = update.version == self.version;
            if is_newest || self.step_from(update.version).is_some() {
                return Next { update, is_newest };
            }
        }
        let update = Arc::new(Update::new(self.full()));
        self.whole = Arc::downgrade(&update);
        Next {
            update,
            is_newest: true,
        }
    }

    /// What the steps from `at` on came to.
    fn difference(&self, at: usize) -> Difference {
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
        difference
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        object::{Kind, ObjectId},
        snapshot::{Map, Tag},
    };

    /// A table of one backend with so many endpoints.
    fn snapshot(sequence: u64, ready_endpoints: u32) -> Snapshot {
        let id = BackendId::new("shop", "web", 80);
        let message = v1::Backend {
            id: id.as_str().to_owned(),
            ready_endpoints,
            ..v1::Backend::default()
        };
        let route = RouteEntry {
            entity: Entity::new(Tag::Route, v1::Route::default()),
            object: ObjectId::new(Kind::HttpRoute, "shop", "web"),
            field: "".into(),
            origin: Arc::default(),
            is_ours: true,
            backends: vec![id.clone()],
            claims: Vec::new(),
        };
        let changed = Changed {
            sequence,
            backends: BTreeSet::from([id.clone()]),
            ..Changed::default()
        };
        Snapshot {
            sequence,
            routes: Map::default().insert(RouteId::from("web"), Arc::new(route)),
            backends: Map::default().insert(id, Arc::new(Entity::new(Tag::Backend, message))),
            recent: VecDeque::from([Arc::new(changed)]),
            ..Snapshot::default()
        }
    }

    #[test]
    fn who_has_the_same_is_sent_the_same_update() {
        let (views, scope) = (Views::default(), Scope::default());
        let first = snapshot(1, 0);
        let next = |snapshot, has| views.next(&scope, snapshot, has);
        let whole = next(&first, None).unwrap();
        let version = whole.update.version.to_string();
        assert!(next(&first, Some(&version)).is_none());
        let second = snapshot(2, 1);
        let one = next(&second, Some(&version)).unwrap();
        let other = next(&second, Some(&version)).unwrap();
        assert!(Arc::ptr_eq(&one.update, &other.update));
        assert!(!one.update.is_full && one.is_newest);
    }

    #[test]
    fn a_whole_table_is_shared_for_as_long_as_a_difference_leads_on_from_it() {
        let (views, scope) = (Views::default(), Scope::default());
        let (older, newer) = (snapshot(1, 0), snapshot(2, 1));
        let next = |snapshot, has| views.next(&scope, snapshot, has).unwrap();
        let first = next(&older, None);
        assert!(first.is_newest);
        let second = next(&newer, None);
        assert!(Arc::ptr_eq(&first.update, &second.update));
        assert!(!second.is_newest);
        let version = second.update.version.to_string();
        let on = next(&newer, Some(&version));
        assert!(!on.update.is_full && on.is_newest);
        // Nobody is sent it any more: nothing is kept.
        drop((first, second));
        assert!(next(&newer, None).is_newest);
    }
}
