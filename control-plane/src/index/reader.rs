//! What all kinds of routes have in common: opt-in, backends, policy, findings.

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

use super::{Origin, ServiceId, grant, objects::Objects, zone::Zone};
use crate::object::{Code, Finding, ObjectId};

/// The status that a request on one of `no-wake-paths` gets while the backend is asleep.
const NO_WAKE_STATUS: u16 = 200;

/// What one HTTPRoute, GRPCRoute or Ingress comes to.
#[derive(Debug, Default)]
pub(super) struct RouteObject {
    pub(super) routes: Vec<Placed>,
    /// Where the object belongs: where any of its routes does.
    pub(super) origin: Arc<Origin>,
    /// Every Service that it names: a change of one makes it new.
    pub(super) names: BTreeSet<ServiceId>,
    /// All else that it follows from.
    pub(super) follows: BTreeSet<ObjectId>,
    /// The ports of Services that its routes lead to.
    pub(super) targets: BTreeMap<ServiceId, BTreeSet<u16>>,
    pub(super) settings: Settings,
    /// Where its routes with targets are.
    pub(super) held_zones: BTreeSet<Zone>,
    /// Where its routes without targets are.
    pub(super) passed_zones: BTreeSet<Zone>,
    pub(super) findings: Vec<Finding>,
}

/// A route, where it belongs, and the field that it comes from.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) route: Route,
    pub(super) origin: Arc<Origin>,
    pub(super) field: Arc<str>,
}

/// Gateways, and the hosts that they have for a route.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `namespace/name` of each.
    pub(super) gateways: BTreeSet<String>,
    /// Empty for every host.
    pub(super) hosts: Vec<HostMatch>,
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
    routes: Vec<(Route, Arc<str>)>,
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
            routes: Vec::new(),
            out,
        }
    }

    /// The object that is read.
    pub(super) fn id(&self) -> &'a ObjectId {
        self.id
    }

    /// What it follows from besides Services.
    pub(super) fn follows(&mut self) -> &mut BTreeSet<ObjectId> {
        &mut self.out.follows
    }

    /// A Service, in the object's own namespace unless another is named.
    pub(super) fn service(&self, namespace: Option<&str>, name: &str) -> ServiceId {
        let own = || Arc::clone(&self.id.namespace);
        ServiceId {
            namespace: namespace.map_or_else(own, Arc::from),
            name: name.into(),
        }
    }

    /// Whether the object may lead to a Service.
    pub(super) fn may_lead_to(&mut self, service: &ServiceId) -> bool {
        if service.namespace == self.id.namespace {
            return true;
        }
        self.out.follows.insert(grant::all_in(&service.namespace));
        grant::permits(self.objects, self.id, service)
    }

    pub(super) fn find(&mut self, field: &str, reason: impl Into<String>) {
        self.out.findings.push(Finding::new(self.id, field, reason));
    }

    /// The backend at a port of a Service, if it is ours.
    pub(super) fn backend(
        &mut self,
        field: &str,
        id: &ServiceId,
        port: PortRef<'_>,
        weight: u32,
    ) -> Option<Resolved> {
        self.out.names.insert(id.clone());
        let object = self.objects.service(id);
        let (said, _) = object.map_or_else(Default::default, |object| settings(&object.metadata));
        // The route's own word counts before its Service's.
        let is_ours = self.out.settings.scale_to_zero.or(said.scale_to_zero) == Some(true);
        if !is_ours || weight == 0 {
            return None;
        }
        match number_of(object, id, port) {
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
                self.not_held(field, &reason, Code::BackendNotHeld);
                None
            }
        }
    }

    fn not_held(&mut self, field: &str, reason: &str, code: Code) {
        let reason = format!("{reason}; its requests are not held");
        let finding = Finding::new(self.id, field, reason).with(code);
        self.out.findings.push(finding);
    }

    /// A backend that no Service in reach stands for. Said only of an object that is ours by itself.
    pub(super) fn refuse(&mut self, field: &str, reason: &str, code: Code) {
        if self.out.settings.scale_to_zero == Some(true) {
            self.not_held(field, reason, code);
        }
    }

    /// Adds the route at a place of the object, which is a field. One without backends takes its requests
    /// from the routes below it, and that is all.
    pub(super) fn route(
        &mut self,
        (place, field): (&str, &str),
        matched: Match,
        backends: &[Resolved],
    ) {
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
        self.routes.push((route, field.into()));
    }

    /// What was read, with hosts of its own.
    pub(super) fn finish(mut self, origin: Origin) -> RouteObject {
        let origin = Arc::new(origin);
        let routes = std::mem::take(&mut self.routes).into_iter();
        let placed = routes.map(|(route, field)| {
            let origin = Arc::clone(&origin);
            Placed {
                route,
                origin,
                field,
            }
        });
        self.out.routes = placed.collect();
        self.done(origin)
    }

    /// What was read, at each of its places. Of several, each has its name at the end of the routes' ids.
    pub(super) fn finish_in(mut self, places: Vec<Place>) -> RouteObject {
        let is_one = places.len() == 1;
        let mut all = BTreeSet::new();
        for Place { gateways, hosts } in places {
            let name = gateways.first().filter(|_| !is_one).cloned();
            all.extend(gateways.iter().cloned());
            let origin = Arc::new(self.origin(gateways));
            for (route, field) in &self.routes {
                let (id, hosts) = (route.id.clone(), hosts.clone());
                let id = name.as_ref().map_or(id, |name| {
                    RouteId::from(format!("{}/{name}", route.id).as_str())
                });
                let route = Route {
                    id,
                    hosts,
                    ..route.clone()
                };
                let (origin, field) = (Arc::clone(&origin), Arc::clone(field));
                self.out.routes.push(Placed {
                    route,
                    origin,
                    field,
                });
            }
        }
        let origin = Arc::new(self.origin(all));
        self.done(origin)
    }

    fn origin(&self, gateways: BTreeSet<String>) -> Origin {
        Origin {
            namespace: self.id.namespace.as_ref().to_owned(),
            gateways,
            ingress_class: None,
        }
    }

    fn done(self, origin: Arc<Origin>) -> RouteObject {
        let mut out = self.out;
        out.origin = origin;
        for Placed { route, .. } in &out.routes {
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
