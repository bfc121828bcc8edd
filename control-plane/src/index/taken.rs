//! Hosts that others have: what an InterceptorRoute or HTTPScaledObject says of them is not in force where they meet.
//!
//! Such an object says which requests scale a Service and not where Envoy sends them, so that anyone who may write
//! one could have the requests of any host held and counted. Where a proxy has routes of other namespaces for the host,
//! and none that leads to its Service or is of its namespace, no request of that host comes there.

use std::sync::Arc;

use super::{
    Dirty, Index,
    route_object::{Placed, RouteObject},
    zone::Zone,
};
use crate::{
    object::{Code, Finding, ObjectId},
    snapshot::Claims,
};

/// The add-on's own proxy, by the end of its name: what leads there leads on to any Service.
const INTERCEPTOR: &str = "-interceptor-proxy";

impl Dirty {
    /// Notes where routes came, went or lead elsewhere, for what overlays them.
    pub(super) fn mark_led_zones(
        &mut self,
        id: &ObjectId,
        (old, new): (Option<&RouteObject>, Option<&RouteObject>),
    ) {
        if id.is_add_on() || old.map(where_it_leads) == new.map(where_it_leads) {
            return;
        }
        let objects = old.into_iter().chain(new);
        self.led_zones.extend(objects.flat_map(zones).cloned());
    }
}

impl Index {
    /// Which objects overlay routes that came, went or lead elsewhere.
    pub(super) fn overlays(&self, dirty: &Dirty) -> Vec<ObjectId> {
        let near = self.held.overlapping_any(&dirty.led_zones);
        near.into_iter().filter(ObjectId::is_add_on).collect()
    }

    /// Puts the routes of an object of the add-on's kinds into the table, with who else has their hosts, and says which
    /// hosts others alone have.
    pub(super) fn show_overlay(&mut self, id: &ObjectId) {
        let mut found: Vec<Finding> = Vec::new();
        if let Some(object) = self.routes.get(id) {
            for placed in &object.routes {
                let claims = self.claims(id, placed, &mut found);
                self.table.put_route(id, placed, object.is_ours(), claims);
            }
        }
        self.table.set_findings(&format!("hosts of {id}"), &found);
    }

    /// Who else has the hosts of a route, one for each; none where nobody has any.
    fn claims(&self, id: &ObjectId, placed: &Placed, found: &mut Vec<Finding>) -> Vec<Claims> {
        let mut all = Vec::new();
        for zone in Zone::of_route(&placed.route) {
            let (claims, owner) = self.claims_on(id, &zone);
            if let Some(owner) = owner.filter(|_| claims.friends.is_empty()) {
                let reason = format!(
                    "{owner} has {zone} and leads elsewhere: an Envoy that serves both holds no request of it for this"
                );
                let finding = Finding::new(id, &*placed.field, reason).with(Code::Shadowed);
                if !found.contains(&finding) {
                    found.push(finding);
                }
            }
            all.push(claims);
        }
        if all.iter().all(|claims| claims.others.is_empty()) {
            all.clear();
        }
        all
    }

    /// Who else has a host, and the first of those of other namespaces.
    fn claims_on(&self, id: &ObjectId, zone: &Zone) -> (Claims, Option<&ObjectId>) {
        let (mut claims, mut owner) = (Claims::default(), None);
        let Some(ours) = self.routes.get(id) else {
            return (claims, owner);
        };
        let objects = [&self.held, &self.passed];
        let objects = objects
            .into_iter()
            .flat_map(|objects| objects.covering(zone));
        for other in objects.filter(|other| !other.is_add_on()) {
            let Some(object) = self.routes.get(other) else {
                continue;
            };
            let leads_there = object
                .names
                .iter()
                .any(|service| ours.names.contains(service) || service.name.ends_with(INTERCEPTOR));
            let is_friend = leads_there || other.namespace == id.namespace;
            let side = if is_friend {
                &mut claims.friends
            } else {
                owner = owner.or(Some(other));
                &mut claims.others
            };
            if !side.contains(&object.origin) {
                side.push(Arc::clone(&object.origin));
            }
        }
        (claims, owner)
    }
}

fn zones(object: &RouteObject) -> impl Iterator<Item = &Zone> {
    object.held_zones.iter().chain(&object.passed_zones)
}

fn where_it_leads(object: &RouteObject) -> impl PartialEq {
    let RouteObject {
        held_zones,
        passed_zones,
        names,
        origin,
        ..
    } = object;
    (held_zones, passed_zones, names, origin)
}
