//! Gateways: which of a route's hosts they take, or why they take none.

mod listener;
mod selector;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gateway_api::apis::standard::{
    gatewayclasses::GatewayClass,
    gateways::{Gateway, GatewayListeners},
};
use wakegate_core::HostMatch;

use self::listener::Refused;
use super::{GATEWAY_GROUP, Parents, Serving, hosts, objects::Objects};
use crate::object::{Finding, Kind, Object, ObjectId};

/// What every Namespace has among its labels: its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The Gateways as they are, and which of them we serve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gateways<'a> {
    pub(super) objects: &'a Objects,
    pub(super) serving: &'a Serving,
}

/// A parent that a route names.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParentRef<'a> {
    pub(super) group: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) section_name: Option<&'a str>,
    pub(super) port: Option<i32>,
}

impl ParentRef<'_> {
    /// The Gateway that it names, if it names one.
    pub(super) fn gateway(&self, route: &ObjectId) -> Option<ObjectId> {
        let is_gateway = self.group.is_none_or(|group| group == GATEWAY_GROUP)
            && self.kind.is_none_or(|kind| kind == Kind::Gateway.as_str());
        let own = || Arc::clone(&route.namespace);
        let namespace = self.namespace.map_or_else(own, Arc::from);
        is_gateway.then(|| ObjectId::new(Kind::Gateway, namespace, self.name))
    }
}

impl Gateways<'_> {
    /// Whether the parents of routes are looked at.
    pub(super) fn are_checked(self) -> bool {
        let is_any = || {
            self.objects
                .count()
                .get(&Kind::Gateway)
                .is_some_and(|n| *n > 0)
        };
        match self.serving.parents {
            Parents::Checked => true,
            Parents::IfAnyGateway => is_any(),
        }
    }

    /// The hosts, of those of a route, that a parent takes; why it takes none. What the answer follows
    /// from is added to `follows`.
    pub(super) fn take(
        self,
        route: &ObjectId,
        parent: &ParentRef<'_>,
        hosts: &[HostMatch],
        follows: &mut BTreeSet<ObjectId>,
    ) -> Result<Vec<HostMatch>, String> {
        let Some(id) = parent.gateway(route) else {
            let kind = parent.kind.unwrap_or("it");
            return Err(format!(
                "{kind} {} is no Gateway: name one that we serve",
                parent.name
            ));
        };
        follows.insert(id.clone());
        let Some(Object::Gateway(gateway)) = self.objects.get(&id) else {
            return Err(format!("there is no {id}"));
        };
        self.is_served(&id, gateway, follows)?;
        let labels = self.labels(route);
        let mut taken: Option<Vec<HostMatch>> = None;
        let mut refused = Refused::NoListener;
        for listener in &gateway.spec.listeners {
            if listener::needs_labels(listener) {
                follows.insert(ObjectId::new(
                    Kind::Namespace,
                    "",
                    Arc::clone(&route.namespace),
                ));
            }
            match listener::take((&id, listener), route, &labels, (parent, hosts)) {
                Ok(more) => match &mut taken {
                    Some(taken) => hosts::add(taken, more),
                    None => taken = Some(more),
                },
                Err(why) => refused = refused.max(why),
            }
        }
        taken.ok_or_else(|| refused.text(&id, gateway, route, parent))
    }

    /// Whether a Gateway is one of ours; why not.
    fn is_served(
        self,
        id: &ObjectId,
        gateway: &Gateway,
        follows: &mut BTreeSet<ObjectId>,
    ) -> Result<(), String> {
        let name = &gateway.spec.gateway_class_name;
        if let Some(known) = &self.serving.gateway_classes
            && !known.contains(name)
        {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(format!(
                "{id} is of class {name}, which is not served ({} is): see --gateway-class",
                known.join(", ")
            ));
        }
        let class = ObjectId::new(Kind::GatewayClass, "", name.as_str());
        let object = self.objects.get(&class);
        follows.insert(class);
        match object {
            Some(Object::GatewayClass(class)) if is_refused(class) => Err(format!(
                "{id} is of class {name}, which its controller does not accept"
            )),
            _ => Ok(()),
        }
    }

    /// The labels of a route's namespace. Of one that was not seen, its name is known.
    fn labels(self, route: &ObjectId) -> BTreeMap<String, String> {
        let id = ObjectId::new(Kind::Namespace, "", Arc::clone(&route.namespace));
        let labels = self
            .objects
            .get(&id)
            .and_then(|object| object.metadata().labels.clone());
        let mut labels = labels.unwrap_or_default();
        let name = || route.namespace.as_ref().to_owned();
        labels.entry(NAMESPACE_NAME.to_owned()).or_insert_with(name);
        labels
    }
}

/// Whether the controller of a class says that it does not serve it. One that says nothing may come yet.
fn is_refused(class: &GatewayClass) -> bool {
    let status = class.status.as_ref();
    let mut conditions = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Accepted" && condition.status == "False")
}

/// What is wrong with the listeners of a Gateway that we serve.
pub(super) fn findings(id: &ObjectId, gateway: &Gateway, serving: &Serving) -> Vec<Finding> {
    let classes = serving.gateway_classes.as_ref();
    if classes.is_some_and(|classes| !classes.contains(&gateway.spec.gateway_class_name)) {
        return Vec::new();
    }
    let listeners = gateway.spec.listeners.iter().enumerate();
    let wrong = listeners.flat_map(|(at, listener): (usize, &GatewayListeners)| {
        let wrong = listener::wrong(listener).into_iter();
        wrong.map(move |(field, reason)| (format!("spec.listeners[{at}].{field}"), reason))
    });
    wrong
        .map(|(field, reason)| {
            Finding::new(id, field, format!("{reason}; the listener takes no routes"))
        })
        .collect()
}
