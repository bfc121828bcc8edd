//! Whether Envoy Gateway keeps a route whose backend has no endpoint. By default it does not: it writes a fixed answer of
//! 503 in its place, and a request that was held gets that, however ready the backend is by then (its
//! `internal/gatewayapi/route.go`). With `routingType: Service` the route stays.

use std::{collections::BTreeSet, sync::Arc};

use super::{gateway::Gateways, gateway::ParentRef, objects::Objects};
use crate::object::{Kind, Object, ObjectId, RoutingObject};

const CONTROLLER: &str = "gateway.envoyproxy.io/gatewayclass-controller";
const SERVICE: &str = "Service";

/// What is wrong with a route that Envoy Gateway sends to endpoints, and how it is mended.
pub(super) const REASON: &str = "Envoy Gateway sends its requests to endpoints, and answers 503 by itself while there \
     are none: what was held is lost. Say `routingType: Service` in a BackendTrafficPolicy for the route or the Gateway, \
     or in the EnvoyProxy";

/// What stands for all of a cluster's `BackendTrafficPolicy` objects, for those that must know when one changes.
pub(super) fn any_policy() -> ObjectId {
    ObjectId::new(Kind::BackendTrafficPolicy, "", "")
}

impl Gateways<'_> {
    /// Whether a parent of a route is a Gateway of Envoy Gateway's that sends to endpoints. What the answer follows from is
    /// added to `follows`. Where not all is known, it does not.
    pub(super) fn sends_to_endpoints(
        self,
        route: &ObjectId,
        parent: &ParentRef<'_>,
        follows: &mut BTreeSet<ObjectId>,
    ) -> bool {
        let Some(id) = self.gateway(route, parent) else {
            return false;
        };
        let Some(Object::Gateway(gateway)) = self.objects.get(&id) else {
            return false;
        };
        let class = ObjectId::new(Kind::GatewayClass, "", &*gateway.spec.gateway_class_name);
        let Some(Object::GatewayClass(class)) = self.objects.get(&class) else {
            return false;
        };
        if class.spec.controller_name != CONTROLLER {
            return false;
        }
        follows.insert(any_policy());
        let infrastructure = gateway.spec.infrastructure.as_ref();
        let own = infrastructure.and_then(|it| it.parameters_ref.as_ref());
        let own = own.filter(|it| it.kind == Kind::EnvoyProxy.as_str());
        let own =
            own.map(|it| ObjectId::new(Kind::EnvoyProxy, Arc::clone(&id.namespace), &*it.name));
        let of_class = class.spec.parameters_ref.as_ref();
        let of_class = of_class.filter(|it| it.kind == Kind::EnvoyProxy.as_str());
        let of_class = of_class.map(|it| {
            let namespace = it.namespace.as_deref().unwrap_or_default();
            ObjectId::new(Kind::EnvoyProxy, namespace, &*it.name)
        });
        let proxies: Vec<ObjectId> = own.into_iter().chain(of_class).collect();
        follows.extend(proxies.iter().cloned());
        match routing_type(self.objects, route, &id, &proxies) {
            Said::Nothing => true,
            Said::Something(kind) => kind != SERVICE,
            Said::Unknown => false,
        }
    }
}

/// What is said of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said<'a> {
    Nothing,
    Something(&'a str),
    /// By an object that is out of reach.
    Unknown,
}

/// A policy of the route counts before one of the Gateway, and both before the EnvoyProxies, that of the Gateway first.
fn routing_type<'a>(
    objects: &'a Objects,
    route: &ObjectId,
    gateway: &ObjectId,
    proxies: &[ObjectId],
) -> Said<'a> {
    let (own, merges) = of_policies(objects, route);
    if let Some(kind) = own {
        return Said::Something(kind);
    }
    if merges && let (Some(kind), _) = of_policies(objects, gateway) {
        return Said::Something(kind);
    }
    for proxy in proxies {
        match objects.get(proxy) {
            Some(Object::Routing(proxy)) => {
                if let Some(kind) = proxy.routing_type() {
                    return Said::Something(kind);
                }
            }
            _ => return Said::Unknown,
        }
    }
    Said::Nothing
}

/// What the policies of an object say, and whether they leave the rest to those above. Of several for it or for parts of it
/// one that says `Service` is enough: a finding too few is better than one that is wrong.
fn of_policies<'a>(objects: &'a Objects, target: &ObjectId) -> (Option<&'a str>, bool) {
    let policies: Vec<&RoutingObject> = objects.routing_policies(target).collect();
    let said = policies.iter().filter_map(|it| it.routing_type());
    let kind = said.max_by_key(|kind| *kind == SERVICE);
    (kind, policies.iter().all(|it| it.merges()))
}

impl Objects {
    /// Each `BackendTrafficPolicy` that is for an object. It is in its namespace; one elsewhere may select it.
    fn routing_policies(&self, target: &ObjectId) -> impl Iterator<Item = &RoutingObject> {
        let all = self.all_of(Kind::BackendTrafficPolicy);
        all.filter_map(move |(id, object)| {
            let Object::Routing(policy) = object else {
                return None;
            };
            let is_near = id.namespace == target.namespace;
            let is_meant = policy.targets().any(|it| {
                let mut names = it.name.iter();
                it.kind == target.kind.as_str()
                    && (is_near || it.is_anywhere())
                    && names.all(|name| **name == *target.name)
            });
            is_meant.then_some(policy.as_ref())
        })
    }
}
