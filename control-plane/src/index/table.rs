//! The table under construction: takes what was made new, keeps what differs, and hands it on whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wakegate_core::{Backend, BackendId, Finding as Precedence, Route, RouteId, RouteTable};
use wakegate_wire::v1;

use super::{ServiceEndpoints, ServiceId, reader::RouteObject};
use crate::{
    object::Finding,
    snapshot::{Changed, Entity, HISTORY, RouteEntry, Snapshot, Tag},
};

/// The newest snapshot, and what comes into the next.
#[derive(Debug, Default)]
pub(super) struct Table {
    next: Snapshot,
    changed: Changed,
    /// By what was looked at when they were found.
    findings: BTreeMap<String, Vec<Finding>>,
    have_findings_changed: bool,
}

/// What a route object changed, for the table of precedence.
#[derive(Debug, Default)]
pub(super) struct ChangedRoutes {
    pub(super) upserted: Vec<Route>,
    pub(super) removed: Vec<RouteId>,
}

impl Table {
    /// Replaces the routes of one object.
    pub(super) fn set_routes(
        &mut self,
        old: Option<&RouteObject>,
        new: Option<&RouteObject>,
    ) -> ChangedRoutes {
        let before: BTreeMap<_, _> = old
            .iter()
            .flat_map(|old| &old.routes)
            .map(|route| (&route.id, route))
            .collect();
        let mut gone: BTreeSet<&RouteId> = before.keys().copied().collect();
        let is_elsewhere = old.map(|old| &old.origin) != new.map(|new| &new.origin);
        let mut changed = ChangedRoutes::default();
        for (route, object) in new
            .iter()
            .flat_map(|new| new.routes.iter().map(move |r| (r, new)))
        {
            gone.remove(&route.id);
            if is_elsewhere || before.get(&route.id) != Some(&route) {
                self.put_route(route, object);
                changed.upserted.push(route.clone());
            }
        }
        for id in gone {
            Arc::make_mut(&mut self.next.routes).remove(id);
            self.changed.routes.insert(id.clone());
            changed.removed.push(id.clone());
        }
        changed
    }

    fn put_route(&mut self, route: &Route, object: &RouteObject) {
        let entry = RouteEntry {
            entity: Entity::new(Tag::Route, v1::Route::from(route)),
            origin: Arc::clone(&object.origin),
            backends: route
                .targets
                .iter()
                .map(|target| target.backend.clone())
                .collect(),
        };
        Arc::make_mut(&mut self.next.routes).insert(route.id.clone(), Arc::new(entry));
        self.changed.routes.insert(route.id.clone());
    }

    pub(super) fn set_backend(&mut self, id: &BackendId, backend: Option<&Backend>) {
        let message = backend.map(v1::Backend::from);
        let old = self.next.backends.get(id).map(|old| &old.message);
        if old == message.as_ref() {
            return;
        }
        let entity = message.map(|message| Arc::new(Entity::new(Tag::Backend, message)));
        set(&mut self.next.backends, id, entity);
        self.changed.backends.insert(id.clone());
    }

    pub(super) fn set_workload(&mut self, id: Arc<str>, message: Option<v1::Workload>) {
        let old = self.next.workloads.get(&id).map(|old| &old.message);
        if old == message.as_ref() {
            return;
        }
        let entity = message.map(|message| Arc::new(Entity::new(Tag::Workload, message)));
        set(&mut self.next.workloads, &id, entity);
        self.changed.workloads.insert(id);
    }

    pub(super) fn set_endpoints(&mut self, id: &ServiceId, endpoints: Option<&ServiceEndpoints>) {
        if self.next.services.get(id).map(Arc::as_ref) == endpoints {
            return;
        }
        set(
            &mut self.next.services,
            id,
            endpoints.cloned().map(Arc::new),
        );
        self.changed.services.insert(id.clone());
    }

    /// Replaces what was found when `about` was looked at.
    pub(super) fn set_findings(&mut self, about: &str, found: &[Finding]) {
        if self
            .findings
            .get(about)
            .map(Vec::as_slice)
            .unwrap_or_default()
            == found
        {
            return;
        }
        self.have_findings_changed = true;
        if found.is_empty() {
            self.findings.remove(about);
        } else {
            self.findings.insert(about.to_owned(), found.to_vec());
        }
    }

    pub(super) fn has_changed_routes(&self) -> bool {
        !self.changed.routes.is_empty()
    }

    /// Makes the next snapshot, if it differs from the last.
    pub(super) fn commit(&mut self) -> Option<Arc<Snapshot>> {
        let have_findings_changed = std::mem::take(&mut self.have_findings_changed);
        if have_findings_changed {
            self.next.findings = Arc::new(self.findings.values().flatten().cloned().collect());
        }
        let mut changed = std::mem::take(&mut self.changed);
        if changed.is_empty() && !have_findings_changed {
            return None;
        }
        self.next.sequence += 1;
        changed.sequence = self.next.sequence;
        self.next.recent.push_back(Arc::new(changed));
        if self.next.recent.len() > HISTORY {
            self.next.recent.pop_front();
        }
        Some(self.snapshot())
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(self.next.clone())
    }
}

fn set<K: Ord + Clone, V>(map: &mut Arc<BTreeMap<K, Arc<V>>>, key: &K, value: Option<Arc<V>>) {
    let map = Arc::make_mut(map);
    match value {
        Some(value) => drop(map.insert(key.clone(), value)),
        None => drop(map.remove(key)),
    }
}

/// Routes that do not get what they ask for.
pub(super) fn precedence_findings(table: &RouteTable) -> Vec<Finding> {
    let found = table.findings().into_iter().map(|found| {
        let (route, reason) = match found {
            Precedence::Conflict {
                winner,
                loser,
                hosts,
            } => {
                let hosts = hosts.join(", ");
                (
                    loser,
                    format!("{winner} asks for the same requests on {hosts} and has them"),
                )
            }
            Precedence::Unreachable { route, why } => (route, why.to_string()),
        };
        Finding {
            object: route.to_string(),
            field: String::new(),
            reason,
        }
    });
    found.collect()
}
