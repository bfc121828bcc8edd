//! Routes without targets: they take requests from the routes below them, which the filter would
//! otherwise hold for a backend that never gets them.
//!
//! A cluster has many routes that lead to nothing of ours. The table has those alone that can meet one of
//! ours: on a host that overlaps, in a proxy that may have both.

use std::collections::BTreeSet;

use wakegate_core::RouteId;

use super::{
    Dirty, Index, Origin,
    route_object::{Placed, RouteObject},
    zone::Zone,
};
use crate::object::ObjectId;

impl Index {
    /// Brings the zones of an object up to date, from `old` to `new`.
    pub(super) fn renew_zones(
        &mut self,
        id: &ObjectId,
        (old, new): (Option<&RouteObject>, Option<&RouteObject>),
        dirty: &mut Dirty,
    ) {
        for (object, is_there) in [(old, false), (new, true)] {
            for zone in object.iter().flat_map(|object| &object.held_zones) {
                self.held.put(zone, id, is_there);
            }
            for zone in object.iter().flat_map(|object| &object.passed_zones) {
                self.passed.put(zone, id, is_there);
            }
        }
        if old.map(where_held) != new.map(where_held) {
            let zones = old.iter().chain(&new).flat_map(|object| &object.held_zones);
            dirty.held_zones.extend(zones.cloned());
        }
    }

    /// Takes out what an object no longer says.
    pub(super) fn remove_routes(&mut self, old: Option<&RouteObject>, new: Option<&RouteObject>) {
        let ids = |object: Option<&'_ RouteObject>| {
            let routes = object.into_iter().flat_map(|object| &object.routes);
            routes.map(|placed| placed.route.id.clone()).collect()
        };
        let (before, after): (BTreeSet<RouteId>, BTreeSet<RouteId>) = (ids(old), ids(new));
        for gone in before.difference(&after) {
            self.table.remove_route(gone);
        }
    }

    /// Puts the routes of an object into the table, those without targets where they are needed.
    pub(super) fn show(&mut self, id: &ObjectId) {
        if id.is_add_on() {
            return self.show_overlay(id);
        }
        let Some(object) = self.routes.get(id) else {
            return;
        };
        for placed in &object.routes {
            let is_shown = !placed.route.targets.is_empty()
                || (self.can_meet_ours(placed) && !self.is_overlaid(placed));
            if is_shown {
                self.table
                    .put_route(id, placed, object.is_ours(), Vec::new());
            } else {
                self.table.remove_route(&placed.route.id);
            }
        }
    }

    /// Whether it leads to a Service of which an InterceptorRoute or HTTPScaledObject says what is held: those say
    /// nothing of where requests go, and this says nothing else.
    fn is_overlaid(&self, placed: &Placed) -> bool {
        let mut users = placed
            .services
            .iter()
            .flat_map(|service| self.users_of(service));
        users.any(|(user, _)| user.is_add_on())
    }

    fn can_meet_ours(&self, placed: &Placed) -> bool {
        Zone::of_route(&placed.route).any(|zone| {
            let ours = self.held.overlapping(&zone).flat_map(|(_, ids)| ids);
            let mut ours = ours.filter_map(|id| self.routes.get(id));
            ours.any(|ours| ours.origin.can_meet(&placed.origin))
        })
    }
}

/// Where, and in which proxies, an object takes requests for our backends.
fn where_held(object: &RouteObject) -> (&BTreeSet<Zone>, &Origin) {
    (&object.held_zones, &object.origin)
}
