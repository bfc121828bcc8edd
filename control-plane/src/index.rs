//! Observed objects in, table out: a fold that holds no client and knows no time.
//!
//! ```text
//! Gateway, ListenerSet, ReferenceGrant
//!        │ lets through
//! HTTPRoute, GRPCRoute, Ingress, VirtualService ─► RouteObject ─► routes ─► those without targets where others have targets
//!                           │ names
//! Service, EndpointSlice ─► ServiceState ─► backends, endpoints
//!                           │ is scaled by
//! Deployment, StatefulSet, ScaledObject ─► workloads
//!
//! WakePolicy ─► how requests are held and workloads scaled, on each of its targets; its own verdict comes last
//! ```
//! A change makes new only what stands to the right of it, so that one pod that becomes ready costs the
//! same among ten routes and among ten thousand.

mod add_on;
mod endpoints;
mod envoy_gateway;
mod gateway;
mod gateway_route;
mod grant;
mod grpc_route;
mod hosts;
mod http_route;
mod ingress;
mod objects;
mod origin;
mod reader;
mod route_object;
mod scaled_object;
mod scaling;
mod service;
mod serving;
mod shadow;
mod table;
mod taken;
mod virtual_service;
mod wake_policy;
mod workload;
mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

pub use self::endpoints::{PortEndpoints, ServiceEndpoints};
pub use self::origin::Origin;
pub use self::serving::{Parents, Serving};

use self::{
    gateway::Gateways,
    objects::{Objects, Replaced, put, service_of},
    route_object::RouteObject,
    service::ServiceState,
    table::Table,
    workload::WorkloadId,
    zone::{ByZone, Zone},
};
use crate::{
    object::{Finding, Kind, Object, ObjectId},
    snapshot::Snapshot,
};

/// The group of Gateway API's kinds.
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// `namespace/name` of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// All that was observed, and the table that follows from it.
#[derive(Debug, Default)]
pub struct Index {
    serving: Serving,
    objects: Objects,
    routes: BTreeMap<ObjectId, RouteObject>,
    /// The route objects that name a Service.
    users: BTreeMap<ServiceId, BTreeSet<ObjectId>>,
    /// The route objects that follow from something else.
    followers: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    services: BTreeMap<ServiceId, ServiceState>,
    /// The Services, of those that routes lead to, that a workload stands behind.
    members: BTreeMap<WorkloadId, BTreeSet<ServiceId>>,
    /// What the workloads of the add-on's objects scale, and the other way round.
    scaled: BTreeMap<WorkloadId, WorkloadId>,
    stand_ins: BTreeMap<WorkloadId, BTreeSet<WorkloadId>>,
    /// Workloads that stay at zero, whoever asks for them.
    paused: BTreeSet<WorkloadId>,
    /// The objects with routes to our backends, by their hosts.
    held: ByZone,
    /// The objects with routes to none, by their hosts.
    passed: ByZone,
    /// What the source found before any object was made.
    source_findings: Vec<Finding>,
    table: Table,
    renewed: Renewed,
}

/// What the last changes made new: what they cost, whatever the size of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Objects with routes that were read again.
    pub routes: usize,
    /// Services.
    pub services: usize,
    /// Workloads.
    pub workloads: usize,
}

/// What is to be made new.
#[derive(Debug, Default)]
struct Dirty {
    routes: BTreeSet<ObjectId>,
    /// Where routes to our backends came or went.
    held_zones: BTreeSet<Zone>,
    /// Where routes came or went, or lead elsewhere.
    led_zones: BTreeSet<Zone>,
    /// Of these, which routes the table has.
    shown: BTreeSet<ObjectId>,
    services: BTreeSet<ServiceId>,
    workloads: BTreeSet<WorkloadId>,
    policies: BTreeSet<ObjectId>,
    /// Objects of the add-on's kinds of which it is to be said what became of them.
    add_ons: BTreeSet<ObjectId>,
}

impl Index {
    /// An index of nothing.
    pub fn new(serving: Serving) -> Self {
        Self {
            serving,
            ..Self::default()
        }
    }

    /// Takes in changed objects and all that the source found; returns the next snapshot, or nothing
    /// when there is no difference.
    pub fn apply(
        &mut self,
        changes: Vec<(ObjectId, Option<Object>)>,
        source_findings: Vec<Finding>,
    ) -> Option<Arc<Snapshot>> {
        let mut dirty = Dirty::default();
        let were_checked = self.gateways().are_checked();
        for (id, object) in changes {
            if let Some(replaced) = self.objects.set(&id, object) {
                self.mark(&id, &replaced, &mut dirty);
                self.check(&id);
            }
        }
        if self.gateways().are_checked() != were_checked {
            dirty.routes.extend(self.routes.keys().cloned());
        }
        let mut renewed = Renewed::default();
        for id in std::mem::take(&mut dirty.routes) {
            self.renew_route(&id, &mut dirty);
            renewed.routes += 1;
        }
        dirty.shown.extend(self.overlays(&dirty));
        let near = self.passed.overlapping_any(&dirty.held_zones);
        for id in near.union(&dirty.shown) {
            self.show(id);
        }
        for id in std::mem::take(&mut dirty.services) {
            self.renew_service(&id, &mut dirty);
            renewed.services += 1;
        }
        while let Some(id) = dirty.workloads.pop_first() {
            match id.add_on() {
                Some(object) => {
                    self.renew_add_on(&id, &object, &mut dirty);
                    dirty.add_ons.insert(object);
                }
                None => self.renew_workload(&id),
            }
            renewed.workloads += 1;
        }
        self.renewed = renewed;
        for id in std::mem::take(&mut dirty.policies) {
            self.renew_policy(&id);
        }
        for id in std::mem::take(&mut dirty.add_ons) {
            self.renew_verdict(&id);
        }
        self.source_findings = source_findings;
        self.table
            .set_findings(table::SOURCE, &self.source_findings);
        if self.table.has_changed_routes() {
            let found = self.table.precedence_findings();
            self.table.set_findings("precedence", &found);
        }
        self.table.commit()
    }

    /// The table as it is.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.table.snapshot()
    }

    /// What the last changes made new.
    pub fn renewed(&self) -> Renewed {
        self.renewed
    }

    /// Objects of each kind.
    pub fn n_objects(&self) -> &BTreeMap<Kind, usize> {
        self.objects.count()
    }

    fn gateways(&self) -> Gateways<'_> {
        let (objects, serving) = (&self.objects, &self.serving);
        Gateways { objects, serving }
    }

    /// What follows from a changed object, at first hand.
    fn mark(&self, id: &ObjectId, replaced: &Replaced, dirty: &mut Dirty) {
        let named = self.objects.policies_naming(id);
        dirty.policies.extend(named.cloned());
        match id.kind {
            Kind::HttpRoute | Kind::GrpcRoute | Kind::Ingress | Kind::VirtualService => {
                dirty.routes.insert(id.clone());
            }
            Kind::InterceptorRoute | Kind::HttpScaledObject => {
                dirty.routes.insert(id.clone());
                self.mark_followers(id, dirty);
            }
            Kind::Gateway
            | Kind::ListenerSet
            | Kind::GatewayClass
            | Kind::Namespace
            | Kind::ConfigMap
            | Kind::EnvoyProxy => self.mark_followers(id, dirty),
            Kind::BackendTrafficPolicy => {
                self.mark_followers(&envoy_gateway::any_policy(), dirty);
            }
            Kind::ReferenceGrant => self.mark_followers(&grant::all_in(&id.namespace), dirty),
            Kind::Service => self.mark_service(id, dirty),
            Kind::WakePolicy => {
                for object in replaced.versions() {
                    if let Object::WakePolicy(policy) = object {
                        self.mark_policy(id, policy, dirty);
                    }
                }
            }
            Kind::EndpointSlice
            | Kind::Deployment
            | Kind::StatefulSet
            | Kind::ScaledObject
            | Kind::HorizontalPodAutoscaler => {
                for object in replaced.versions() {
                    self.mark_services(id, object, dirty);
                    if add_on::concerns(id, object) {
                        self.mark_http_scaled_objects(dirty);
                    }
                }
            }
        }
    }

    /// Marks a Service and the routes that name it.
    fn mark_service(&self, id: &ObjectId, dirty: &mut Dirty) {
        let service = ServiceId::from(id);
        let users = self.users.get(&service).into_iter().flatten();
        dirty.routes.extend(users.cloned());
        dirty.services.insert(service);
    }

    /// Marks the routes that follow from an object.
    fn mark_followers(&self, id: &ObjectId, dirty: &mut Dirty) {
        let followers = self.followers.get(id).into_iter().flatten();
        dirty.routes.extend(followers.cloned());
    }

    /// Says what is wrong with an object by itself, of the kinds that are not looked at elsewhere.
    fn check(&mut self, id: &ObjectId) {
        let findings = match self.objects.get(id) {
            Some(Object::Gateway(object)) => gateway::findings(id, object, &self.serving),
            Some(Object::ListenerSet(object)) => gateway::wrong(id, &object.spec.listeners),
            Some(Object::ReferenceGrant(object)) => grant::findings(id, object),
            _ => Vec::new(),
        };
        let kinds = [Kind::Gateway, Kind::ListenerSet, Kind::ReferenceGrant];
        if kinds.contains(&id.kind) {
            self.table.set_findings(&id.to_string(), &findings);
        }
    }

    fn mark_services(&self, id: &ObjectId, object: &Object, dirty: &mut Dirty) {
        let target = match object {
            Object::EndpointSlice(slice) => {
                dirty.services.extend(service_of(&id.namespace, slice));
                return;
            }
            Object::Workload(workload) => {
                let selecting = self.objects.may_select(&id.namespace, workload);
                dirty.services.extend(selecting.cloned());
                (id.kind.as_str(), &*id.name)
            }
            Object::ScaledObject(object) => {
                // Someone else's takes the name from ours.
                dirty.workloads.insert(WorkloadId {
                    namespace: Arc::clone(&id.namespace),
                    kind: Kind::Deployment.as_str().to_owned(),
                    name: id.name.as_ref().to_owned(),
                });
                // It may be that of an HTTPScaledObject, which has its name.
                let owner = ObjectId::new(
                    Kind::HttpScaledObject,
                    Arc::clone(&id.namespace),
                    Arc::clone(&id.name),
                );
                if self.add_on(&owner).is_some() {
                    dirty.workloads.insert(WorkloadId::of_add_on(&owner));
                }
                object.target()
            }
            Object::HorizontalPodAutoscaler(object) => {
                (object.target_kind.as_str(), object.target_name.as_str())
            }
            Object::Service(_)
            | Object::HttpRoute(_)
            | Object::GrpcRoute(_)
            | Object::Gateway(_)
            | Object::GatewayClass(_)
            | Object::ReferenceGrant(_)
            | Object::Namespace(_)
            | Object::Ingress(_)
            | Object::WakePolicy(_)
            | Object::AddOn(_)
            | Object::ConfigMap(_)
            | Object::Routing(_)
            | Object::VirtualService(_)
            | Object::ListenerSet(_) => return,
        };
        let workload = WorkloadId {
            namespace: Arc::clone(&id.namespace),
            kind: target.0.to_owned(),
            name: target.1.to_owned(),
        };
        let stand_ins = self.stand_ins.get(&workload).into_iter().flatten();
        dirty.workloads.extend(stand_ins.cloned());
        dirty.workloads.insert(workload);
    }

    fn renew_route(&mut self, id: &ObjectId, dirty: &mut Dirty) {
        let new = match self.objects.get(id) {
            Some(Object::HttpRoute(route)) => Some(http_route::read(id, route, self.gateways())),
            Some(Object::GrpcRoute(route)) => Some(grpc_route::read(id, route, self.gateways())),
            Some(Object::Ingress(ingress)) => Some(ingress::read(id, ingress, &self.objects)),
            Some(Object::VirtualService(object)) => {
                Some(virtual_service::read(id, object, &self.objects))
            }
            Some(Object::AddOn(object)) => Some(add_on::read(id, object, &self.objects)),
            _ => None,
        };
        let old = self.routes.remove(id);
        for (routes, is_there) in [(&old, false), (&new, true)] {
            for service in routes.iter().flat_map(|routes| &routes.names) {
                put(&mut self.users, service.clone(), id.clone(), is_there);
                dirty.services.insert(service.clone());
            }
            for followed in routes.iter().flat_map(|routes| &routes.follows) {
                put(&mut self.followers, followed.clone(), id.clone(), is_there);
            }
        }
        if id.is_add_on() {
            dirty.add_ons.insert(id.clone());
            // What leads to the same Services is in the table because of it, or no longer.
            let services = old.iter().chain(&new).flat_map(|routes| &routes.names);
            let users = services.filter_map(|service| self.users.get(service));
            dirty.shown.extend(users.flatten().cloned());
        }
        self.renew_zones(id, (old.as_ref(), new.as_ref()), dirty);
        dirty.mark_led_zones(id, (old.as_ref(), new.as_ref()));
        self.remove_routes(old.as_ref(), new.as_ref());
        dirty.shown.insert(id.clone());
        dirty
            .policies
            .extend(self.objects.policies_naming(id).cloned());
        let findings = new
            .as_ref()
            .map(|new| new.findings.as_slice())
            .unwrap_or_default();
        self.table.set_findings(&id.to_string(), findings);
        self.routes.extend(new.map(|new| (id.clone(), new)));
    }

    /// The objects whose routes lead to a Service.
    fn users_of(&self, id: &ServiceId) -> impl Iterator<Item = (&ObjectId, &RouteObject)> {
        let users = self.users.get(id).into_iter().flatten();
        let with_routes = users.filter_map(|user| Some((user, self.routes.get(user)?)));
        with_routes.filter(|(_, routes)| routes.targets.contains_key(id))
    }
}

impl ServiceId {
    /// The Service as an object.
    pub fn object(&self) -> ObjectId {
        ObjectId::new(
            Kind::Service,
            Arc::clone(&self.namespace),
            Arc::clone(&self.name),
        )
    }
}

impl From<&ObjectId> for ServiceId {
    fn from(id: &ObjectId) -> Self {
        Self {
            namespace: Arc::clone(&id.namespace),
            name: Arc::clone(&id.name),
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests;
