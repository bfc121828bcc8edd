//! Gateways: which of a route's hosts they take, or why they take none.

mod listener;
mod selector;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gateway_api::apis::standard::{
    gatewayclasses::GatewayClass,
    gateways::{Gateway, GatewayAllowedListenersNamespacesFrom as Allowed, GatewayListeners},
};
use wakegate_core::HostMatch;

use self::listener::Refused;
use super::{GATEWAY_GROUP, Parents, Serving, hosts, objects::Objects};
use crate::object::{Finding, Kind, ListenerSetObject, Object, ObjectId};

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
    /// The Gateway or ListenerSet that it names, if it names one.
    fn named(&self, route: &ObjectId) -> Option<ObjectId> {
        let is_ours = self.group.is_none_or(|group| group == GATEWAY_GROUP);
        let kinds = [Kind::Gateway, Kind::ListenerSet];
        let kind = self.kind.unwrap_or(Kind::Gateway.as_str());
        let kind = kinds.into_iter().find(|it| it.as_str() == kind);
        let own = || Arc::clone(&route.namespace);
        let namespace = self.namespace.map_or_else(own, Arc::from);
        let kind = kind.filter(|_| is_ours)?;
        Some(ObjectId::new(kind, namespace, self.name))
    }

    /// The Gateway that it names itself, if it names one.
    pub(super) fn gateway(&self, route: &ObjectId) -> Option<ObjectId> {
        self.named(route).filter(|it| it.kind == Kind::Gateway)
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

    /// The Gateway of a parent, and the hosts, of those of a route, that it takes; why it takes none. What the answer
    /// follows from is added to `follows`.
    pub(super) fn take(
        self,
        route: &ObjectId,
        parent: &ParentRef<'_>,
        hosts: &[HostMatch],
        follows: &mut BTreeSet<ObjectId>,
    ) -> Result<(ObjectId, Vec<HostMatch>), String> {
        let Some(id) = parent.named(route) else {
            let kind = parent.kind.unwrap_or("it");
            return Err(format!(
                "{kind} {} is no Gateway: name one that we serve",
                parent.name
            ));
        };
        follows.insert(id.clone());
        let (gateway_id, listeners) = match self.objects.get(&id) {
            Some(Object::Gateway(gateway)) => (id.clone(), &gateway.spec.listeners),
            Some(Object::ListenerSet(set)) => (gateway_of(&id, set), &set.spec.listeners),
            _ => return Err(format!("there is no {id}")),
        };
        follows.insert(gateway_id.clone());
        let Some(Object::Gateway(gateway)) = self.objects.get(&gateway_id) else {
            return Err(format!("there is no {gateway_id}, which {id} is of"));
        };
        self.is_served(&gateway_id, gateway, follows)?;
        if id.kind == Kind::ListenerSet {
            self.allows(&gateway_id, gateway, &id, follows)?;
        }
        let labels = self.labels(&route.namespace);
        let mut taken: Option<Vec<HostMatch>> = None;
        let mut refused = Refused::NoListener;
        for listener in listeners {
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
        let taken = taken.map(|taken| (gateway_id, taken));
        taken.ok_or_else(|| refused.text((&id, listeners), route, parent))
    }

    /// The Gateway of a parent, by a ListenerSet or by itself, as far as it is known.
    pub(super) fn gateway(self, route: &ObjectId, parent: &ParentRef<'_>) -> Option<ObjectId> {
        let id = parent.named(route)?;
        match self.objects.get(&id) {
            Some(Object::ListenerSet(set)) => Some(gateway_of(&id, set)),
            _ => parent.gateway(route),
        }
    }

    /// Whether a Gateway has the listeners of a set; by default it has those of none.
    fn allows(
        self,
        id: &ObjectId,
        gateway: &Gateway,
        set: &ObjectId,
        follows: &mut BTreeSet<ObjectId>,
    ) -> Result<(), String> {
        let allowed = gateway.spec.allowed_listeners.as_ref();
        let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
        let from = namespaces.and_then(|it| it.from.as_ref());
        let is_allowed = match from {
            None | Some(Allowed::None) => false,
            Some(Allowed::All) => true,
            Some(Allowed::Same) => set.namespace == id.namespace,
            Some(Allowed::Selector) => {
                let namespace = Arc::clone(&set.namespace);
                follows.insert(ObjectId::new(Kind::Namespace, "", namespace));
                let labels = self.labels(&set.namespace);
                let wanted = namespaces.and_then(|it| it.selector.as_ref());
                wanted.is_some_and(|it| selector::matches(&selector::of_listeners(it), &labels))
            }
        };
        let why =
            || format!("{id} takes no listeners of {set}: see its allowedListeners.namespaces");
        is_allowed.then_some(()).ok_or_else(why)
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

    /// The labels of a namespace. Of one that was not seen, its name is known.
    fn labels(self, namespace: &Arc<str>) -> BTreeMap<String, String> {
        let id = ObjectId::new(Kind::Namespace, "", Arc::clone(namespace));
        let labels = self
            .objects
            .get(&id)
            .and_then(|object| object.metadata().labels.clone());
        let mut labels = labels.unwrap_or_default();
        let name = || namespace.as_ref().to_owned();
        labels.entry(NAMESPACE_NAME.to_owned()).or_insert_with(name);
        labels
    }
}

/// The Gateway that a set's listeners are of.
fn gateway_of(id: &ObjectId, set: &ListenerSetObject) -> ObjectId {
    let parent = &set.spec.parent_ref;
    let own = || Arc::clone(&id.namespace);
    let namespace = parent.namespace.as_deref().map_or_else(own, Arc::from);
    ObjectId::new(Kind::Gateway, namespace, parent.name.as_str())
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
    wrong(id, &gateway.spec.listeners)
}

/// What is wrong with the listeners of a Gateway or a ListenerSet.
pub(super) fn wrong(id: &ObjectId, listeners: &[GatewayListeners]) -> Vec<Finding> {
    let listeners = listeners.iter().enumerate();
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
