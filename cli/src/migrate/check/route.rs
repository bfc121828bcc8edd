//! Routes that lead to the interceptor.

mod destination;

use wakegate_api::http_add_on::HostPattern;

use self::destination::Destination;
use super::{Context, Found, target};
use crate::migrate::{
    objects::{AddOn, BackendRef, Kind, Rewrite, Route, RouteRule, covers},
    rules::{
        Finding,
        traffic::{
            BACKEND, BACKEND_GRANT, BACKEND_NOBODY, BACKEND_SPLIT, HOST_REWRITTEN, INGRESS_BACKEND,
            INGRESS_MOVES, NO_ENVOY, PATH_REWRITTEN,
        },
    },
};

/// What the classes of controllers without an Envoy are called, by their beginning.
const NO_ENVOYS: [&str; 8] = [
    "nginx",
    "traefik",
    "haproxy",
    "kong",
    "alb",
    "gce",
    "azure",
    "webapprouting",
];

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for route in &context.objects.routes {
        let mut findings = Vec::new();
        for rule in &route.rules {
            let leading = rule.backends.iter().filter_map(|backend| {
                let place = (backend.namespace.clone(), backend.service.clone());
                Some((backend, context.interceptors.name_of(&place)?))
            });
            let leading: Vec<_> = leading.collect();
            if leading.is_empty() {
                continue;
            }
            let destination = Destination::of(context, rule);
            for (backend, interceptor) in leading {
                findings.extend(repoint(context, route, backend, &interceptor, &destination));
            }
            for finding in rewritten(rule, &destination) {
                // An Ingress says it once for all its paths.
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        if !findings.is_empty() {
            findings.extend(no_envoy(route));
            found.entry(route.id.clone()).or_default().extend(findings);
        }
    }
}

fn repoint(
    context: &Context<'_>,
    route: &Route,
    backend: &BackendRef,
    interceptor: &str,
    destination: &Destination<'_>,
) -> Vec<Finding> {
    let (field, namespace) = (backend.field.as_str(), &route.id.namespace);
    let objects = context.objects;
    let targets = destination.targets(namespace, objects);
    let facts = [("interceptor", interceptor)];
    let Some((object, target)) = targets.first() else {
        return vec![BACKEND_NOBODY.at(field, &facts)];
    };
    let (target_namespace, service) = object.service();
    let is_elsewhere = target_namespace != *namespace;
    let facts = [
        ("interceptor", interceptor),
        ("target", target),
        ("service", &service),
        ("kind", route.id.kind.as_str()),
        ("namespace", namespace),
        ("target-namespace", &target_namespace),
    ];
    if targets.len() > 1 {
        let targets = destination.by_requests(namespace, objects);
        let facts = [("interceptor", interceptor), ("targets", &targets)];
        return vec![BACKEND_SPLIT.at(field, &facts)];
    }
    if route.id.kind == Kind::Ingress {
        let rule = if is_elsewhere {
            &INGRESS_MOVES
        } else {
            &INGRESS_BACKEND
        };
        return vec![rule.at(field, &facts)];
    }
    let mut findings = vec![BACKEND.at(field, &facts)];
    if is_elsewhere && !is_granted(context, route, object) {
        findings.push(BACKEND_GRANT.at(field, &facts));
    }
    findings
}

fn is_granted(context: &Context<'_>, route: &Route, object: &AddOn) -> bool {
    let (namespace, service) = object.service();
    let mut grants = context.objects.grants.iter();
    grants.any(|grant| {
        let mut from = grant.from.iter();
        let mut to = grant.to.iter();
        grant.id.namespace == namespace
            && from
                .any(|(kind, from)| kind == route.id.kind.as_str() && *from == route.id.namespace)
            && to.any(|name| name.as_ref().is_none_or(|name| *name == service))
    })
}

/// The filter comes before Envoy's router, and so before what a route makes of host and path.
fn rewritten(rule: &RouteRule, destination: &Destination<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rewrite in &rule.rewrites {
        match rewrite {
            Rewrite::Host(field, host) => {
                let Some(object) = destination.objects().into_iter().find(|it| !has(it, rule))
                else {
                    continue;
                };
                let hosts: Vec<String> = rule.hosts.iter().map(shown).collect();
                let (hosts, object) = (hosts.join(", "), object.id.to_string());
                let facts = [
                    ("host", host.as_str()),
                    ("hosts", &hosts),
                    ("object", &object),
                ];
                findings.push(HOST_REWRITTEN.at(&**field, &facts));
            }
            Rewrite::Path(field, _) => findings.push(PATH_REWRITTEN.at(&**field, &[])),
        }
    }
    findings
}

/// Whether an object is for all hosts of a route as clients send them.
fn has(object: &AddOn, rule: &RouteRule) -> bool {
    let of_object = || object.reading.requests.iter().flat_map(|it| &it.hosts);
    let mut hosts = rule.hosts.iter();
    hosts.all(|host| of_object().any(|outer| covers(outer, host)))
}

fn shown(host: &HostPattern) -> String {
    match host {
        HostPattern::Any => "*".to_owned(),
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Below(name) => format!("*.{name}"),
    }
}

fn no_envoy(route: &Route) -> Option<Finding> {
    let (field, class) = route.class.as_ref()?;
    let is_none = NO_ENVOYS.iter().any(|name| class.starts_with(name));
    is_none.then(|| NO_ENVOY.at(*field, &[("class", class)]))
}
