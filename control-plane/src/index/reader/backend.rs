//! A backend of a rule: which port of a Service it is, and how its requests are held.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use wakegate_api::Settings;
use wakegate_core::{NoWake, NoWakeMatch, Policy, Target};

use crate::index::{ServiceId, route_object};

/// The status that a request on one of `no-wake-paths` gets while the backend is asleep.
const NO_WAKE_STATUS: u16 = 200;

/// A port of a Service, as an object names it.
#[derive(Clone, Copy, Debug)]
pub(in crate::index) enum PortRef<'a> {
    Number(i32),
    Name(&'a str),
}

/// A backend of a rule, with what its Service says.
#[derive(Debug)]
pub(in crate::index) struct Resolved {
    pub(super) target: Target,
    pub(super) service: Settings,
}

/// The number of a port; why there is none to hold for.
pub(super) fn number_of(
    service: Option<&Service>,
    id: &ServiceId,
    port: PortRef<'_>,
) -> Result<u16, String> {
    let spec = service.and_then(|service| service.spec.as_ref());
    let Some(spec) = spec else {
        return Err(format!("there is no Service {id}"));
    };
    if spec.type_.as_deref() == Some("ExternalName") {
        return Err(format!(
            "Service {id} is an ExternalName, which nothing here can scale"
        ));
    }
    let is_it = |candidate: &&ServicePort| match port {
        PortRef::Number(number) => candidate.port == number,
        PortRef::Name(name) => candidate.name.as_deref() == Some(name),
    };
    let ports = spec.ports.as_deref().unwrap_or_default();
    let found = ports
        .iter()
        .find(is_it)
        .and_then(|port| u16::try_from(port.port).ok());
    found.filter(|number| *number > 0).ok_or_else(|| {
        let known: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
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

/// The route's own settings, then those of its Services in their order, then the defaults.
pub(super) fn policy(route: &Settings, backends: &[Resolved]) -> Policy {
    let said = || std::iter::once(route).chain(backends.iter().map(|backend| &backend.service));
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
    let paths = said().find_map(|settings| settings.no_wake_paths.as_ref());
    policy
        .no_wake
        .extend(paths.into_iter().flatten().map(|path| NoWake {
            what: NoWakeMatch::PathPrefix(route_object::segments(path).to_owned()),
            status: NO_WAKE_STATUS,
        }));
    policy
}
