//! What HTTPRoute and Ingress have in common: opt-in, backends, policy, findings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{
    api::core::v1::{Service, ServicePort},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use wakegate_api::Settings;
use wakegate_core::{
    BackendId, HeaderMatch, HostMatch, Key, NoWake, NoWakeMatch, PathMatch, Policy, QueryMatch,
    Route, RouteId, Target,
};

use super::{Origin, ServiceId, objects::Objects, zone::Zone};
use crate::object::{Finding, ObjectId};

/// The status that a request on one of `no-wake-paths` gets while the backend is asleep.
const NO_WAKE_STATUS: u16 = 200;

/// What one HTTPRoute or Ingress comes to.
#[derive(Debug, Default)]
pub(super) struct RouteObject {
    pub(super) routes: Vec<Route>,
    pub(super) origin: Arc<Origin>,
    /// Every Service that it names: a change of one makes it new.
    pub(super) names: BTreeSet<ServiceId>,
    /// The ports of Services that its routes lead to.
    pub(super) targets: BTreeMap<ServiceId, BTreeSet<u16>>,
    pub(super) settings: Settings,
    /// Where its routes with targets are.
    pub(super) held_zones: BTreeSet<Zone>,
    /// Where its routes without targets are.
    pub(super) passed_zones: BTreeSet<Zone>,
    pub(super) findings: Vec<Finding>,
}

/// A port of a Service, as an object names it.
#[derive(Clone, Copy, Debug)]
pub(super) enum PortRef<'a> {
    Number(i32),
    Name(&'a str),
}

/// Reads one object.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    id: &'a ObjectId,
    objects: &'a Objects,
    created_ms: u64,
    out: RouteObject,
}

/// The requests that a route is for.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) hosts: Vec<HostMatch>,
    pub(super) path: PathMatch,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<HeaderMatch>,
    pub(super) query: Vec<QueryMatch>,
}

/// A backend of a rule, with what its Service says.
#[derive(Debug)]
pub(super) struct Resolved {
    target: Target,
    service: Settings,
}

impl RouteObject {
    /// Whether it leads to one of our backends.
    pub(super) fn is_ours(&self) -> bool {
        !self.targets.is_empty()
    }
}

impl Match {
    /// Every request of these hosts on that path.
    pub(super) fn of(hosts: &[HostMatch], path: PathMatch) -> Self {
        let (method, headers, query) = (None, Vec::new(), Vec::new());
        Self {
            hosts: hosts.to_vec(),
            path,
            method,
            headers,
            query,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(id: &'a ObjectId, metadata: &ObjectMeta, objects: &'a Objects) -> Self {
        let mut out = RouteObject::default();
        let (settings, errors) = settings(metadata);
        out.settings = settings;
        out.findings = annotation_findings(id, errors).collect();
        let created = metadata.creation_timestamp.as_ref();
        let created_ms = created.map_or(0, |time| time.0.as_millisecond().try_into().unwrap_or(0));
        Self {
            id,
            objects,
            created_ms,
            out,
        }
    }

    /// Whether a namespace is the object's own.
    pub(super) fn is_own(&self, namespace: &str) -> bool {
        *self.id.namespace == *namespace
    }

    pub(super) fn find(&mut self, field: &str, reason: impl Into<String>) {
        self.out.findings.push(Finding::new(self.id, field, reason));
    }

    /// The backend at a port of a Service in the object's namespace, if it is ours.
    pub(super) fn backend(
        &mut self,
        field: &str,
        service: &str,
        port: PortRef<'_>,
        weight: u32,
    ) -> Option<Resolved> {
        let id = ServiceId {
            namespace: Arc::clone(&self.id.namespace),
            name: service.into(),
        };
        self.out.names.insert(id.clone());
        let object = self.objects.service(&id);
        let (said, _) = object.map_or_else(Default::default, |object| settings(&object.metadata));
        // The route's own word counts before its Service's.
        let is_ours = self.out.settings.scale_to_zero.or(said.scale_to_zero) == Some(true);
        if !is_ours || weight == 0 {
            return None;
        }
        match number_of(object, &id, port) {
            Ok(number) => {
                self.out
                    .targets
                    .entry(id.clone())
                    .or_default()
                    .insert(number);
                let backend = BackendId::new(&id.namespace, &id.name, number);
                let key = Key::service(&id.namespace, &id.name);
                let target = Target {
                    backend,
                    key,
                    weight,
                };
                Some(Resolved {
                    target,
                    service: said,
                })
            }
            Err(reason) => {
                self.find(field, format!("{reason}; its requests are not held"));
                None
            }
        }
    }

    /// A backend that no Service in reach stands for. Said only of an object that is ours by itself.
    pub(super) fn refuse(&mut self, field: &str, reason: &str) {
        if self.out.settings.scale_to_zero == Some(true) {
            self.find(field, format!("{reason}; its requests are not held"));
        }
    }

    /// Adds a route. One without backends takes its requests from the routes below it, and that is all.
    pub(super) fn route(&mut self, place: &str, matched: Match, backends: &[Resolved]) {
        let Match {
            hosts,
            path,
            method,
            headers,
            query,
        } = matched;
        let ObjectId {
            kind,
            namespace,
            name,
        } = self.id;
        let id = format!("{}/{namespace}/{name}/{place}", kind.as_str());
        let route = Route {
            id: RouteId::from(id.as_str()),
            created_ms: self.created_ms,
            hosts,
            path,
            method,
            headers,
            query,
            targets: backends
                .iter()
                .map(|backend| backend.target.clone())
                .collect(),
            policy: Arc::new(policy(&self.out.settings, backends)),
        };
        self.out.routes.push(route);
    }

    /// What was read.
    pub(super) fn finish(self, origin: Origin) -> RouteObject {
        let mut out = self.out;
        out.origin = Arc::new(origin);
        for route in &out.routes {
            if route.targets.is_empty() {
                out.passed_zones.extend(Zone::of_route(route));
            } else {
                out.held_zones.extend(Zone::of_route(route));
            }
        }
        out
    }
}

/// What the annotations of an object say.
pub(super) fn settings(metadata: &ObjectMeta) -> (Settings, Vec<wakegate_api::AnnotationError>) {
    let annotations = metadata.annotations.iter().flatten();
    Settings::parse(annotations.map(|(key, value)| (key.as_str(), value.as_str())))
}

pub(super) fn annotation_findings(
    id: &ObjectId,
    errors: Vec<wakegate_api::AnnotationError>,
) -> impl Iterator<Item = Finding> {
    errors.into_iter().map(|error| {
        let field = format!("metadata.annotations[{}]", error.key());
        Finding::new(id, field, error.to_string())
    })
}

/// A host as an object has it; why it is none.
pub(super) fn host(text: &str, wildcard: fn(String) -> HostMatch) -> Result<HostMatch, String> {
    let host = text.to_ascii_lowercase();
    let (is_wildcard, name) = match host.strip_prefix("*.") {
        Some(suffix) => (true, suffix.to_owned()),
        None => (false, host),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if !name.split('.').all(is_label) {
        return Err(format!("{text:?} is no host name; it is passed over"));
    }
    Ok(if is_wildcard {
        wildcard(name)
    } else {
        HostMatch::Exact(name)
    })
}

/// A path that counts by whole segments: a slash at its end says nothing.
pub(super) fn prefix(path: &str) -> PathMatch {
    PathMatch::Prefix(segments(path).to_owned())
}

fn segments(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    }
}

fn number_of(service: Option<&Service>, id: &ServiceId, port: PortRef<'_>) -> Result<u16, String> {
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
fn policy(route: &Settings, backends: &[Resolved]) -> Policy {
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
            what: NoWakeMatch::PathPrefix(segments(path).to_owned()),
            status: NO_WAKE_STATUS,
        }));
    policy
}
