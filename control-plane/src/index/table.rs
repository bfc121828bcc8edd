//! The table under construction: takes what was made new, keeps what differs, and hands it on whole.

use std::{collections::BTreeMap, sync::Arc};

use wakegate_core::{Backend, BackendId, Finding as Precedence, RouteId, RouteTable};
use wakegate_wire::v1;

use super::{ServiceEndpoints, ServiceId, route_object::Placed};
use crate::{
    object::{Code, Finding, ObjectId},
    snapshot::{Changed, Claims, Entity, Map, RouteEntry, Snapshot, Tag, remember},
    wanted::{AddOnVerdict, PolicyVerdict, WantedScaledObject},
};

/// What findings of the source are about, before any object was made.
pub(super) const SOURCE: &str = "files";

/// The newest snapshot, and what comes into the next.
#[derive(Debug, Default)]
pub(super) struct Table {
    next: Snapshot,
    /// The routes of `next`, for what it finds: routes that get nothing.
    precedence: RouteTable,
    changed: Changed,
    /// By what was looked at when they were found.
    findings: BTreeMap<String, Vec<Finding>>,
    have_findings_changed: bool,
    have_scaled_objects_changed: bool,
    have_verdicts_changed: bool,
}

impl Table {
    /// Puts a route in, in place of the one of that name.
    pub(super) fn put_route(
        &mut self,
        object: &ObjectId,
        placed: &Placed,
        is_ours: bool,
        claims: Vec<Claims>,
    ) {
        let Placed {
            route,
            origin,
            field,
            services: _,
        } = placed;
        let (old, entry) = (
            self.precedence.get(&route.id),
            self.next.routes.get(&route.id),
        );
        let is_same = |entry: &Arc<RouteEntry>| {
            entry.origin == *origin
                && entry.field == *field
                && entry.is_ours == is_ours
                && entry.claims == claims
        };
        if old.is_some_and(|old| **old == *route) && entry.is_some_and(is_same) {
            return;
        }
        let entry = RouteEntry {
            entity: Entity::new(Tag::Route, v1::Route::from(route)),
            object: object.clone(),
            field: Arc::clone(field),
            origin: Arc::clone(origin),
            is_ours,
            backends: route
                .targets
                .iter()
                .map(|target| target.backend.clone())
                .collect(),
            claims,
        };
        set(&mut self.next.routes, &route.id, Some(Arc::new(entry)));
        self.precedence.apply(vec![route.clone()], &[]);
        self.changed.routes.insert(route.id.clone());
    }

    /// Takes a route out, if it is there.
    pub(super) fn remove_route(&mut self, id: &RouteId) {
        if self.next.routes.contains_key(id) {
            set(&mut self.next.routes, id, None);
            self.precedence.apply(Vec::new(), std::slice::from_ref(id));
            self.changed.routes.insert(id.clone());
        }
    }

    pub(super) fn set_backend(&mut self, id: &BackendId, backend: Option<&Backend>) {
        let message = backend.map(v1::Backend::from);
        let old = self.next.backends.get(id).map(|old| &old.message);
        if old == message.as_ref() {
            return;
        }
        let is_ready = |message: &v1::Backend| usize::from(message.ready_endpoints > 0);
        let (was, is) = (
            old.map_or(0, is_ready),
            message.as_ref().map_or(0, is_ready),
        );
        self.next.n_ready_backends = self.next.n_ready_backends + is - was;
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

    pub(super) fn set_scaled_object(&mut self, id: &Arc<str>, wanted: Option<WantedScaledObject>) {
        if self.next.scaled_objects.get(id).map(Arc::as_ref) == wanted.as_ref() {
            return;
        }
        self.have_scaled_objects_changed = true;
        set(&mut self.next.scaled_objects, id, wanted.map(Arc::new));
    }

    pub(super) fn set_policy(&mut self, id: &ObjectId, verdict: Option<PolicyVerdict>) {
        if self.next.policies.get(id).map(Arc::as_ref) == verdict.as_ref() {
            return;
        }
        self.have_verdicts_changed = true;
        set(&mut self.next.policies, id, verdict.map(Arc::new));
    }

    pub(super) fn set_add_on(&mut self, id: &ObjectId, verdict: Option<AddOnVerdict>) {
        if self.next.add_ons.get(id).map(Arc::as_ref) == verdict.as_ref() {
            return;
        }
        self.have_verdicts_changed = true;
        set(&mut self.next.add_ons, id, verdict.map(Arc::new));
    }

    /// What was found when `about` was looked at.
    pub(super) fn findings_about(&self, about: &str) -> &[Finding] {
        self.findings
            .get(about)
            .map(Vec::as_slice)
            .unwrap_or_default()
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
        if self.findings_about(about) == found {
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
            let refused = self.findings_about(SOURCE).iter();
            let refused = refused.filter_map(|it| Some((it.id.clone()?, it.clone())));
            self.next.refused = Arc::new(refused.collect());
        }
        let have_scaled_objects_changed = std::mem::take(&mut self.have_scaled_objects_changed);
        let has_wanted_changed =
            std::mem::take(&mut self.have_verdicts_changed) || have_scaled_objects_changed;
        let mut changed = std::mem::take(&mut self.changed);
        if changed.is_empty() && !have_findings_changed && !has_wanted_changed {
            return None;
        }
        self.next.sequence += 1;
        changed.sequence = self.next.sequence;
        if have_scaled_objects_changed {
            self.next.scaled_objects_since = self.next.sequence;
        }
        remember(&mut self.next.recent, Arc::new(changed));
        Some(self.snapshot())
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(self.next.clone())
    }

    /// Routes of ours that do not get what they ask for. What others lose is theirs to know.
    pub(super) fn precedence_findings(&self) -> Vec<Finding> {
        let origin = |id: &RouteId| self.next.routes.get(id).map(|entry| &entry.origin);
        let found = self.precedence.findings_among(|a, b| {
            let (a, b) = (origin(a), origin(b));
            a.zip(b).is_none_or(|(a, b)| a.can_meet(b))
        });
        let found = found
            .into_iter()
            .filter(|found| self.is_ours(found.route()));
        found.map(|found| self.precedence_finding(found)).collect()
    }

    fn precedence_finding(&self, found: Precedence) -> Finding {
        let (route, reason) = match found {
            Precedence::Conflict {
                winner,
                loser,
                hosts,
            } => {
                let hosts = hosts.join(", ");
                let whose = if self.is_ours(&winner) {
                    ""
                } else {
                    ", which leads to nothing that scales to zero,"
                };
                let reason =
                    format!("{winner}{whose} asks for the same requests on {hosts} and has them");
                (loser, reason)
            }
            Precedence::Unreachable { route, why } => (route, format!("never reached: {why}")),
        };
        let finding = match self.next.routes.get(&route) {
            Some(entry) => Finding::new(&entry.object, &*entry.field, reason),
            None => Finding::elsewhere(route.to_string(), "", reason),
        };
        finding.with(Code::Shadowed)
    }

    /// Whether a route is of an object that leads to one of our backends.
    fn is_ours(&self, route: &RouteId) -> bool {
        let entry = self.next.routes.get(route);
        entry.is_some_and(|entry| entry.is_ours)
    }
}

fn set<K: Ord + Clone, V>(map: &mut Map<K, V>, key: &K, value: Option<Arc<V>>) {
    match value {
        Some(value) => map.insert_mut(key.clone(), value),
        None => {
            map.remove_mut(key);
        }
    }
}
