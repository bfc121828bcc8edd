//! Hosts that another namespace has: what an InterceptorRoute or HTTPScaledObject says of them is not in force.
//!
//! Such an object says which requests scale a Service and not where Envoy sends them, so that anyone who may write
//! one could have the requests of any host held and counted. Where routes have the host, and none of them leads to
//! its Service, no request of that host comes there.

use super::{
    Dirty, Index, ServiceId,
    route_object::{Placed, RouteObject},
    zone::Zone,
};
use crate::object::{Code, Finding, ObjectId};

/// The add-on's own proxy, by the end of its name: what leads there leads on to any Service.
const INTERCEPTOR: &str = "-interceptor-proxy";

impl Index {
    /// Notes where routes came, went or lead elsewhere, for what overlays them.
    pub(super) fn mark_overlays(
        &self,
        id: &ObjectId,
        (old, new): (Option<&RouteObject>, Option<&RouteObject>),
        dirty: &mut Dirty,
    ) {
        if id.is_add_on() || old.map(where_it_leads) == new.map(where_it_leads) {
            return;
        }
        let objects = old.into_iter().chain(new);
        dirty.led_zones.extend(objects.flat_map(zones).cloned());
    }

    /// Which objects overlay routes that came, went or lead elsewhere.
    pub(super) fn overlays(&self, dirty: &Dirty) -> Vec<ObjectId> {
        let near = self.held.overlapping_any(&dirty.led_zones);
        near.into_iter().filter(ObjectId::is_add_on).collect()
    }

    /// A route of the add-on's kinds without the hosts that others have; none where it has no other.
    pub(super) fn without_taken_hosts(&self, id: &ObjectId, placed: &Placed) -> Option<Placed> {
        let mut placed = placed.clone();
        let hosts = &mut placed.route.hosts;
        if hosts.is_empty() {
            return self
                .taken_by(id, &Zone::every())
                .is_none()
                .then_some(placed);
        }
        hosts.retain(|host| self.taken_by(id, &Zone::of(host)).is_none());
        (!hosts.is_empty()).then_some(placed)
    }

    /// Says which hosts of an object of the add-on's kinds others have.
    pub(super) fn renew_taken(&mut self, id: &ObjectId) {
        let routes = self.routes.get(id).map(|object| object.routes.as_slice());
        let mut found: Vec<Finding> = Vec::new();
        for placed in routes.unwrap_or_default() {
            for zone in Zone::of_route(&placed.route) {
                let Some(owner) = self.taken_by(id, &zone) else {
                    continue;
                };
                let reason = format!(
                    "{owner} has {zone} and leads elsewhere: no request of it comes to the Service"
                );
                let finding = Finding::new(id, &*placed.field, reason).with(Code::Shadowed);
                if !found.contains(&finding) {
                    found.push(finding);
                }
            }
        }
        self.table.set_findings(&about(id), &found);
    }

    /// The object of another namespace that has a host, where none that has it leads to the Service of `id`.
    fn taken_by(&self, id: &ObjectId, zone: &Zone) -> Option<&ObjectId> {
        let services = &self.routes.get(id)?.names;
        let owners = [&self.held, &self.passed];
        let owners = owners
            .into_iter()
            .flat_map(|objects| objects.covering(zone));
        let mut owner = None;
        for other in owners.filter(|other| !other.is_add_on()) {
            let leads_there = |service: &ServiceId| {
                services.contains(service) || service.name.ends_with(INTERCEPTOR)
            };
            let names = self.routes.get(other).map(|object| &object.names);
            let leads_there = names.into_iter().flatten().any(leads_there);
            if leads_there || other.namespace == id.namespace {
                return None;
            }
            owner = owner.or(Some(other));
        }
        owner
    }
}

/// What findings of taken hosts are about.
pub(super) fn about(id: &ObjectId) -> String {
    format!("hosts of {id}")
}

fn zones(object: &RouteObject) -> impl Iterator<Item = &Zone> {
    object.held_zones.iter().chain(&object.passed_zones)
}

fn where_it_leads(object: &RouteObject) -> impl PartialEq {
    let RouteObject {
        held_zones,
        passed_zones,
        names,
        ..
    } = object;
    (held_zones, passed_zones, names)
}
