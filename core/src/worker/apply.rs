//! A new table, under requests that are held.

use std::{collections::HashSet, time::Duration};

use super::{Slot, Worker};
use crate::{Backend, BackendId, Key, Route, RouteId, TableUpdate};

impl Worker {
    /// Puts an update in force. Held requests of a route or backend that is gone go on; a changed policy
    /// applies to those that are held already.
    pub fn apply(&mut self, now: Duration, update: TableUpdate) {
        let TableUpdate {
            full,
            version,
            mut routes,
            mut removed_routes,
            backends,
            mut removed_backends,
        } = update;
        if full {
            removed_routes = self.routes_missing_in(&routes);
            removed_backends = self.backends_missing_in(&backends);
        }
        for backend in backends {
            self.upsert_backend(now, backend);
        }
        for id in &removed_routes {
            self.forget_route(now, id);
        }
        for route in &mut routes {
            self.place(route);
            self.count_keys(route);
            if self.held_by_route.contains_key(&route.id) {
                let timeout = route.policy.hold_limit();
                for slot in self.backends.values_mut().filter(|slot| slot.is_busy) {
                    slot.gate.set_deadlines(&route.id, timeout);
                }
            }
        }
        self.table.apply(routes, &removed_routes);
        for id in &removed_backends {
            self.retire_backend(now, id);
        }
        self.forget_keys();
        self.version = Some(version);
    }

    /// The version of the table in force; none before the first.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn routes_missing_in(&self, routes: &[Route]) -> Vec<RouteId> {
        let kept: HashSet<_> = routes.iter().map(|route| &route.id).collect();
        let routes = self.table.iter().map(|route| &route.id);
        routes.filter(|id| !kept.contains(id)).cloned().collect()
    }

    fn backends_missing_in(&self, backends: &[Backend]) -> Vec<BackendId> {
        let kept: HashSet<_> = backends.iter().map(|backend| &backend.id).collect();
        let ids = self.backends.keys();
        ids.filter(|id| !kept.contains(id)).cloned().collect()
    }

    fn upsert_backend(&mut self, now: Duration, backend: Backend) {
        let backend = Backend {
            probe: backend.probe && self.limits.probe,
            ..backend
        };
        let id = backend.id.clone();
        if let Some(slot) = self.backends.get_mut(&id) {
            let has_woken = slot.is_asleep() && backend.ready_endpoints > 0;
            slot.is_gone = false;
            slot.gate.update(now, &backend);
            if has_woken {
                // Nothing held proves it to this worker: Envoy's endpoints may still lag behind.
                slot.gate.doubt(now);
            }
            slot.backend = backend;
            return;
        }
        let mut slot = Slot::new(backend);
        slot.gate.set_workers(self.n_workers);
        slot.gate.set_control_plane(now, self.is_connected);
        self.backends.insert_with(&id, || slot);
    }

    fn retire_backend(&mut self, now: Duration, id: &BackendId) {
        let Some(slot) = self.backends.get_mut(id) else {
            return;
        };
        slot.gate.let_go(now, None);
        slot.is_gone = true;
        if !slot.is_busy {
            self.backends.remove(id);
        }
    }

    fn forget_route(&mut self, now: Duration, id: &RouteId) {
        if self.held_by_route.contains_key(id) {
            for slot in self.backends.values_mut().filter(|slot| slot.is_busy) {
                slot.gate.let_go(now, Some(id));
            }
        }
        if let Some(route) = self.table.get(id).cloned() {
            self.discount_keys(&route);
        }
    }

    /// Its requests are to find backend and counters without a hash.
    fn place(&mut self, route: &mut Route) {
        for target in &mut route.targets {
            self.backends.place(&mut target.backend);
            self.demand.place(&mut target.key);
        }
    }

    /// Before the table takes `route` in: it may replace one that counted under other keys.
    fn count_keys(&mut self, route: &Route) {
        if let Some(before) = self.table.get(&route.id).cloned() {
            self.discount_keys(&before);
        }
        for target in &route.targets {
            let n_targets = self.known.entry(target.key.clone()).or_insert_with(|| {
                self.known_digest = self.known_digest.wrapping_add(target.key.digest());
                0
            });
            *n_targets += 1;
        }
    }

    fn discount_keys(&mut self, route: &Route) {
        for target in &route.targets {
            if let Some(n_targets) = self.known.get_mut(&target.key) {
                *n_targets = n_targets.saturating_sub(1);
            }
        }
    }

    fn forget_keys(&mut self) {
        let digest = &mut self.known_digest;
        let mut is_changed = false;
        self.known.retain(|key: &Key, n_targets| {
            if *n_targets == 0 {
                *digest = digest.wrapping_sub(key.digest());
                is_changed = true;
            }
            *n_targets > 0
        });
        if is_changed {
            self.demand.retain(|key| self.known.contains_key(key));
        }
    }
}
