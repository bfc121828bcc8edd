//! One listener of a Gateway: whether it takes a route.

use std::collections::BTreeMap;

use gateway_api::apis::standard::gateways::{
    GatewayListeners, GatewayListenersAllowedRoutesNamespacesFrom as From,
    GatewayListenersAllowedRoutesNamespacesSelector as Selector,
};
use wakegate_core::HostMatch;

use super::{ParentRef, selector};
use crate::{
    index::{GATEWAY_GROUP, hosts},
    object::ObjectId,
};

/// Why a listener does not take a route: the later, the closer it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refused {
    /// None of that name or port.
    NoListener,
    /// It speaks no HTTP.
    Protocol,
    /// Its `allowedRoutes.kinds` do not have the route's.
    Kind,
    /// Its `allowedRoutes.namespaces` do not have the route's.
    Namespace,
    /// They share no host.
    Host,
}

/// The hosts, of those of a route, that a listener takes.
pub(super) fn take(
    (gateway, listener): (&ObjectId, &GatewayListeners),
    route: &ObjectId,
    labels: &BTreeMap<String, String>,
    (parent, hosts): (&ParentRef<'_>, &[HostMatch]),
) -> Result<Vec<HostMatch>, Refused> {
    let is_near = || match from(listener) {
        From::All => true,
        From::Same => gateway.namespace == route.namespace,
        From::Selector => {
            selector(listener).is_some_and(|wanted| selector::matches(wanted, labels))
        }
    };
    if !is_named(listener, parent) {
        Err(Refused::NoListener)
    } else if !matches!(&*listener.protocol, "HTTP" | "HTTPS") {
        Err(Refused::Protocol)
    } else if !has_kind(listener, route.kind.as_str()) {
        Err(Refused::Kind)
    } else if !is_near() {
        Err(Refused::Namespace)
    } else {
        let host = host(listener).map_err(|_| Refused::Host)?;
        hosts::common(hosts, host.as_ref()).ok_or(Refused::Host)
    }
}

fn is_named(listener: &GatewayListeners, parent: &ParentRef<'_>) -> bool {
    parent.section_name.is_none_or(|name| name == listener.name)
        && parent.port.is_none_or(|port| port == listener.port)
}

/// Whether it depends on the labels of a route's namespace.
pub(super) fn needs_labels(listener: &GatewayListeners) -> bool {
    from(listener) == From::Selector
}

/// The fields that make a listener take nothing, and why.
pub(super) fn wrong(listener: &GatewayListeners) -> Vec<(String, String)> {
    let host = host(listener).err();
    let host = host.map(|reason| ("hostname".to_owned(), reason));
    let namespaces = "allowedRoutes.namespaces.selector";
    let chosen = match (from(listener), selector(listener)) {
        (From::Selector, None) => {
            let reason = "missing, and from is Selector".to_owned();
            Some((namespaces.to_owned(), reason))
        }
        (From::Selector, Some(wanted)) => {
            selector::wrong(wanted).map(|(field, reason)| (format!("{namespaces}.{field}"), reason))
        }
        (From::All | From::Same, _) => None,
    };
    host.into_iter().chain(chosen).collect()
}

fn from(listener: &GatewayListeners) -> From {
    let allowed = listener.allowed_routes.as_ref();
    let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
    let from = namespaces.and_then(|namespaces| namespaces.from.clone());
    from.unwrap_or(From::Same)
}

fn selector(listener: &GatewayListeners) -> Option<&Selector> {
    let namespaces = listener.allowed_routes.as_ref()?.namespaces.as_ref()?;
    namespaces.selector.as_ref()
}

/// Without a list, a listener for HTTP takes both of our kinds.
fn has_kind(listener: &GatewayListeners, kind: &str) -> bool {
    let allowed = listener.allowed_routes.as_ref();
    let kinds = allowed.and_then(|allowed| allowed.kinds.as_ref());
    let kinds = kinds.filter(|kinds| !kinds.is_empty());
    kinds.is_none_or(|kinds| {
        kinds.iter().any(|allowed| {
            let group = allowed.group.as_deref();
            allowed.kind == kind && group.is_none_or(|group| group == GATEWAY_GROUP)
        })
    })
}

fn host(listener: &GatewayListeners) -> Result<Option<HostMatch>, String> {
    let name = listener.hostname.as_deref().filter(|name| !name.is_empty());
    let host = name.map(|name| hosts::host(name, HostMatch::Suffix));
    host.transpose()
        .map_err(|_| format!("{:?} is no host name", name.unwrap_or_default()))
}

impl Refused {
    /// What a route reads of it, with the fix.
    pub(super) fn text(
        self,
        (id, listeners): (&ObjectId, &[GatewayListeners]),
        route: &ObjectId,
        parent: &ParentRef<'_>,
    ) -> String {
        let kind = route.kind.as_str();
        let listeners = listeners.iter();
        match self {
            Self::NoListener => {
                let section = parent.section_name.map(|name| format!(" named {name}"));
                let port = parent.port.map(|port| format!(" on port {port}"));
                let which = section.unwrap_or_default() + &port.unwrap_or_default();
                let known = listeners.map(|known| format!("{} on {}", known.name, known.port));
                let known: Vec<String> = known.collect();
                format!("{id} has no listener{which} (it has {})", known.join(", "))
            }
            Self::Protocol => format!("{id} has no HTTP or HTTPS listener for it"),
            Self::Kind => format!("{id} takes no {kind}s: see its allowedRoutes.kinds"),
            Self::Namespace => format!(
                "{id} takes no routes from namespace {}: see its allowedRoutes.namespaces",
                route.namespace
            ),
            Self::Host => {
                let named = listeners.filter(|listener| is_named(listener, parent));
                let known = named.filter_map(|listener| listener.hostname.as_deref());
                let known: Vec<&str> = known.collect();
                format!(
                    "{id} has none of its hostnames (it has {})",
                    known.join(", ")
                )
            }
        }
    }
}
