//! A backend of a rule: which port of a Service it is, and how its requests are held.

use std::iter;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use wakegate_api::{
    Settings,
    wake_policy::{NoWakeRequest, NoWakeRule},
};
use wakegate_core::{NoWake, NoWakeMatch, Policy, Target};

use crate::index::{
    ServiceId,
    objects::Objects,
    route_object,
    wake_policy::{InForce, Level},
};

/// The status that a request on one of `no-wake-paths` gets while the backend is asleep.
const NO_WAKE_STATUS: u16 = 200;

/// A port of a Service, as an object names it.
#[derive(Clone, Copy, Debug)]
pub(in crate::index) enum PortRef<'a> {
    Number(i32),
    Name(&'a str),
}

/// A backend of a rule, with what is said of it.
#[derive(Debug)]
pub(in crate::index) struct Resolved {
    pub(super) target: Target,
    pub(super) said: Said,
}

/// What is said of one port of a Service.
#[derive(Debug)]
pub(super) struct Said {
    /// By the Service's annotations.
    settings: Settings,
    /// By the policies on the port and on the Service.
    policies: [Option<(Level, InForce)>; 2],
}

impl Resolved {
    /// Whether both are one port of one Service.
    pub(in crate::index) fn is_at_same_port(&self, other: &Self) -> bool {
        self.target.backend == other.target.backend
    }

    /// Adds the share of another way to the same port.
    pub(in crate::index) fn add_weight(&mut self, weight: u32) {
        self.target.weight = self.target.weight.saturating_add(weight);
    }
}

impl Said {
    /// Whether it is ours, whatever a route says.
    pub(super) fn opts_in(&self) -> bool {
        self.policies.iter().any(Option::is_some) || self.settings.scale_to_zero == Some(true)
    }
}

/// What is said of a port of a Service.
pub(super) fn said(
    objects: &Objects,
    service: Option<&Service>,
    id: &ServiceId,
    port: PortRef<'_>,
) -> Said {
    let settings = service.map(|service| super::settings(&service.metadata));
    let named = service.and_then(|service| port_of(service, port));
    let named = named.and_then(|port| port.name.as_deref());
    Said {
        settings: settings.map(|(settings, _)| settings).unwrap_or_default(),
        policies: objects.policies_on_port(id, named),
    }
}

pub(in crate::index) fn port_of<'s>(
    service: &'s Service,
    port: PortRef<'_>,
) -> Option<&'s ServicePort> {
    let ports = service.spec.iter().flat_map(|spec| &spec.ports).flatten();
    ports.into_iter().find(|candidate| match port {
        PortRef::Number(number) => candidate.port == number,
        PortRef::Name(name) => candidate.name.as_deref() == Some(name),
    })
}

/// The number of a port; why there is none to hold for.
pub(super) fn number_of(
    service: Option<&Service>,
    id: &ServiceId,
    port: PortRef<'_>,
) -> Result<u16, String> {
    let with_spec = service.and_then(|service| Some((service, service.spec.as_ref()?)));
    let Some((service, spec)) = with_spec else {
        return Err(format!("there is no Service {id}"));
    };
    if spec.type_.as_deref() == Some("ExternalName") {
        return Err(format!(
            "Service {id} is an ExternalName, which nothing here can scale"
        ));
    }
    let found = port_of(service, port).and_then(|port| u16::try_from(port.port).ok());
    found.filter(|number| *number > 0).ok_or_else(|| {
        let ports = spec.ports.iter().flatten();
        let known: Vec<String> = ports.map(|port| port.port.to_string()).collect();
        let port = match port {
            PortRef::Number(number) => number.to_string(),
            PortRef::Name(name) => name.to_owned(),
        };
        format!(
            "Service {id} has no port {port} (it has {})",
            known.join(", ")
        )
    })
}

/// What the most particular policy says, whole; then the route's own annotations, then those of its Services
/// in their order, then the defaults.
pub(super) fn policy(
    route: &Settings,
    own: Option<(Level, &InForce)>,
    backends: &[Resolved],
) -> Policy {
    let rules = most_particular(own, backends).map(|policy| &*policy.rules);
    let annotated = || iter::once(route).chain(backends.iter().map(|it| &it.said.settings));
    let said = || {
        rules
            .map(|rules| &rules.settings)
            .into_iter()
            .chain(annotated())
    };
    let mut policy = Policy::default();
    if let Some(timeout) = said().find_map(|settings| settings.hold_timeout) {
        policy.hold_timeout = timeout;
    }
    if let Some(max_held) = said().find_map(|settings| settings.max_held) {
        policy.max_held = max_held;
    }
    if let Some(overflow) = said().find_map(|settings| settings.overflow) {
        policy.overflow_status = overflow.status();
    }
    policy.waiting_page = rules.and_then(|rules| rules.waiting_page).unwrap_or(false);
    match rules.map(|rules| &rules.no_wake) {
        Some(rules) if !rules.is_empty() => policy.no_wake.extend(rules.iter().map(no_wake)),
        Some(_) | None => {
            let paths = annotated().find_map(|settings| settings.no_wake_paths.as_ref());
            let paths = paths.into_iter().flatten().map(|path| NoWake {
                what: NoWakeMatch::PathPrefix(route_object::segments(path).to_owned()),
                status: NO_WAKE_STATUS,
            });
            policy.no_wake.extend(paths);
        }
    }
    policy
}

/// Of the policies of a route and of its backends; of several backends the first has its way.
fn most_particular<'p>(
    own: Option<(Level, &'p InForce)>,
    backends: &'p [Resolved],
) -> Option<&'p InForce> {
    let of_backends = backends.iter().flat_map(|backend| &backend.said.policies);
    let of_backends = of_backends
        .flatten()
        .map(|(level, policy)| (*level, policy));
    // Of equals the last is the greatest.
    let all: Vec<_> = own.into_iter().chain(of_backends).collect();
    let most = all.into_iter().rev().max_by_key(|(level, _)| *level);
    most.map(|(_, policy)| policy)
}

fn no_wake(rule: &NoWakeRule) -> NoWake {
    let what = match &rule.what {
        NoWakeRequest::PathPrefix(path) => {
            NoWakeMatch::PathPrefix(route_object::segments(path).to_owned())
        }
        NoWakeRequest::UserAgentPrefix(agent) => NoWakeMatch::UserAgentPrefix(agent.clone()),
        NoWakeRequest::Method(method) => NoWakeMatch::Method(method.clone()),
        NoWakeRequest::Header { name, value } => {
            NoWakeMatch::Header(route_object::header(name, value.as_deref()))
        }
    };
    NoWake {
        what,
        status: rule.status,
    }
}
