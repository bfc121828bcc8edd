//! What all kinds of routes have in common: opt-in, backends, findings.

mod backend;

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wakegate_api::{Settings, wake_policy::ThawRules};
use wakegate_core::{BackendId, Key, Policy, Route, RouteId, Target};

pub(super) use self::backend::{PortRef, Resolved, port_of};

use super::{
    Origin, ServiceId, grant,
    objects::Objects,
    route_object::{Match, Place, Placed, RouteObject, SaidOfThaw},
    wake_policy::{InForce, Level},
    zone::Zone,
};
use crate::object::{Code, Finding, ObjectId};

/// What is added to the age of an object that only overlays the routes of others: no time that is an age comes near.
const AFTER_ALL_OTHERS: u64 = 1 << 62;

/// Reads one object.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    id: &'a ObjectId,
    objects: &'a Objects,
    created_ms: u64,
    /// The policy on the object, and the one on the rule that is read.
    policy: Option<InForce>,
    rule_policy: Option<InForce>,
    routes: Vec<(Route, Arc<str>, Arc<BTreeSet<ServiceId>>)>,
    /// The Services that the rule names which is read.
    services: BTreeSet<ServiceId>,
    out: RouteObject,
}

impl<'a> Reader<'a> {
    pub(super) fn new(id: &'a ObjectId, metadata: &ObjectMeta, objects: &'a Objects) -> Self {
        let mut out = RouteObject::default();
        let (settings, errors) = settings(metadata);
        let policy = objects.policy_on(id, None);
        out.opts_in = policy.is_some() || settings.scale_to_zero == Some(true);
        out.settings = settings;
        out.findings = annotation_findings(id, errors).collect();
        Self {
            policy,
            ..Self::begin(id, objects, created_ms(metadata), out)
        }
    }

    fn begin(id: &'a ObjectId, objects: &'a Objects, created_ms: u64, out: RouteObject) -> Self {
        Self {
            id,
            objects,
            created_ms,
            policy: None,
            rule_policy: None,
            routes: Vec::new(),
            services: BTreeSet::new(),
            out,
        }
    }

    /// Of one of the add-on's kinds, which are ours by being there and count after all others.
    pub(super) fn of_add_on(id: &'a ObjectId, metadata: &ObjectMeta, objects: &'a Objects) -> Self {
        let out = RouteObject {
            opts_in: true,
            ..RouteObject::default()
        };
        let created_ms = AFTER_ALL_OTHERS.saturating_add(created_ms(metadata));
        Self::begin(id, objects, created_ms, out)
    }

    /// The object that is read.
    pub(super) fn id(&self) -> &'a ObjectId {
        self.id
    }

    /// All that was observed.
    pub(super) fn objects(&self) -> &'a Objects {
        self.objects
    }

    /// What it follows from besides Services.
    pub(super) fn follows(&mut self) -> &mut BTreeSet<ObjectId> {
        &mut self.out.follows
    }

    /// Whether any of its routes so far leads to a backend of ours.
    pub(super) fn has_targets(&self) -> bool {
        !self.out.targets.is_empty()
    }

    /// What is read from here on is of a rule of that name.
    pub(super) fn begin_rule(&mut self, name: Option<&str>) {
        self.services.clear();
        self.rule_policy = name.and_then(|name| self.objects.policy_on(self.id, Some(name)));
    }

    /// The policy of the object that is in force in this rule.
    fn own_policy(&self) -> Option<(Level, &InForce)> {
        let of_rule = self.rule_policy.as_ref().map(|it| (Level::Rule, it));
        of_rule.or_else(|| self.policy.as_ref().map(|it| (Level::Route, it)))
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

    /// The port of a Service that has one alone.
    pub(super) fn only_port(&mut self, service: &ServiceId) -> Option<i32> {
        self.out.names.insert(service.clone());
        let spec = self.objects.service(service)?.spec.as_ref()?;
        match spec.ports.as_deref() {
            Some([port]) => Some(port.port),
            Some(_) | None => None,
        }
    }

    /// Whether a port of a Service is ours, whatever the object says.
    pub(super) fn opts_in(&mut self, service: &ServiceId, port: PortRef<'_>) -> bool {
        self.out.names.insert(service.clone());
        let object = self.objects.service(service);
        backend::said(self.objects, object, service, port).opts_in()
    }

    pub(super) fn find(&mut self, field: &str, reason: impl Into<String>) {
        self.find_with(field, reason, Code::Invalid);
    }

    pub(super) fn find_with(&mut self, field: &str, reason: impl Into<String>, code: Code) {
        let finding = Finding::new(self.id, field, reason).with(code);
        self.out.findings.push(finding);
    }

    /// The backend at a port of a Service, if it is ours.
    pub(super) fn backend(
        &mut self,
        field: &str,
        id: &ServiceId,
        port: PortRef<'_>,
        weight: u32,
    ) -> Option<Resolved> {
        self.services.insert(id.clone());
        self.out.names.insert(id.clone());
        let object = self.objects.service(id);
        let said = backend::said(self.objects, object, id, port);
        // The route's own word counts before its Service's, and a policy before an annotation.
        let is_ours = self.own_policy().is_some()
            || self
                .out
                .settings
                .scale_to_zero
                .unwrap_or_else(|| said.opts_in());
        if !is_ours || weight == 0 {
            return None;
        }
        let key = Key::service(&id.namespace, &id.name);
        let target = self.target(field, id, port, (key, weight))?;
        self.say_of_thaw(id, &target.backend);
        Some(Resolved { target, said })
    }

    /// A port of a Service, counted under a key; none where there is no such port, which is found then.
    pub(super) fn target(
        &mut self,
        field: &str,
        id: &ServiceId,
        port: PortRef<'_>,
        (key, weight): (Key, u32),
    ) -> Option<Target> {
        self.out.names.insert(id.clone());
        match backend::number_of(self.objects.service(id), id, port) {
            Ok(number) => {
                self.out
                    .targets
                    .entry(id.clone())
                    .or_default()
                    .insert(number);
                Some(Target {
                    backend: BackendId::new(&id.namespace, &id.name, number),
                    key,
                    weight,
                })
            }
            Err(reason) => {
                self.not_held(field, &reason, Code::BackendNotHeld);
                None
            }
        }
    }

    /// Who is elsewhere may wake a Service, and not say how much it can take.
    fn say_of_thaw(&mut self, ServiceId { namespace, name }: &ServiceId, backend: &BackendId) {
        let Some((level, policy)) = self.own_policy() else {
            return;
        };
        if *namespace != self.id.namespace {
            if policy.rules.thaw != ThawRules::default() {
                let reason = format!(
                    "for Service {namespace}/{name} it is not in force: only a policy in namespace {namespace} may say \
                     how that goes on"
                );
                let finding = Finding::new(&policy.id, "spec.thaw", reason);
                self.out.findings.push(finding);
            }
            return;
        }
        let said = SaidOfThaw {
            backend: backend.clone(),
            level,
            policy: policy.clone(),
        };
        if !self.out.thaws.contains(&said) {
            self.out.thaws.push(said);
        }
    }

    fn not_held(&mut self, field: &str, reason: &str, code: Code) {
        let reason = format!("{reason}; its requests are not held");
        let finding = Finding::new(self.id, field, reason).with(code);
        self.out.findings.push(finding);
    }

    /// A backend that no Service in reach stands for. Said only of an object that is ours by itself.
    pub(super) fn refuse(&mut self, field: &str, reason: &str, code: Code) {
        if self.out.opts_in || self.rule_policy.is_some() {
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
        let targets = backends.iter().map(|backend| backend.target.clone());
        let own = self.own_policy();
        let policy = Arc::new(backend::policy(&self.out.settings, own, backends));
        self.add_route((place, field), matched, targets.collect(), policy);
    }

    /// Adds a route of one of the add-on's kinds, which says by itself how its requests are held.
    pub(super) fn add_on_route(
        &mut self,
        place: (&str, &str),
        matched: Match,
        target: Target,
        policy: Arc<Policy>,
    ) {
        self.add_route(place, matched, vec![target], policy);
    }

    fn add_route(
        &mut self,
        (place, field): (&str, &str),
        matched: Match,
        targets: Vec<Target>,
        policy: Arc<Policy>,
    ) {
        let Match {
            listed,
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
            listed,
            hosts,
            path,
            method,
            headers,
            query,
            targets,
            policy,
        };
        self.routes
            .push((route, field.into(), Arc::new(self.services.clone())));
    }

    /// What was read, with hosts of its own.
    pub(super) fn finish(mut self, origin: Origin) -> RouteObject {
        let origin = Arc::new(origin);
        let routes = std::mem::take(&mut self.routes).into_iter();
        let placed = routes.map(|(route, field, services)| {
            let origin = Arc::clone(&origin);
            Placed {
                route,
                origin,
                field,
                services,
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
            for (route, field, services) in &self.routes {
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
                let services = Arc::clone(services);
                self.out.routes.push(Placed {
                    route,
                    origin,
                    field,
                    services,
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
            ..Origin::default()
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

/// When an object was made, milliseconds since the Unix epoch; 0 where it is not known.
pub(super) fn created_ms(metadata: &ObjectMeta) -> u64 {
    let created = metadata.creation_timestamp.as_ref();
    created.map_or(0, |time| time.0.as_millisecond().try_into().unwrap_or(0))
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
