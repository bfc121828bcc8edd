//! Which requests are meant, and who else is for them.

use wakegate_api::http_add_on::Requests;

use super::is_replaced;
use crate::migrate::{
    check::{Context, target},
    objects::{AddOn, Path, Route, RouteRule, same},
    rules::{
        Finding,
        objects::{
            FALLS_THROUGH, HOST_CASE, NO_RULES, ROUTE_ELSEWHERE, SAME_REQUESTS, SAME_REQUESTS_TIE,
        },
    },
};

pub(super) fn check(context: &Context<'_>, object: &AddOn) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_route = object.is_route();
    if object.reading.requests.is_empty() && is_route {
        findings.push(NO_RULES.at("spec.rules", &[]));
    }
    for (field, host) in &object.written_hosts {
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            findings.push(HOST_CASE.at(&**field, &[("host", host)]));
        }
    }
    for (at, requests) in object.reading.requests.iter().enumerate() {
        if !requests.headers.is_empty() {
            let field = if is_route {
                format!("spec.rules[{at}].headers")
            } else {
                "spec.headers".to_owned()
            };
            findings.push(FALLS_THROUGH.at(field, &[]));
        }
    }
    let field = if is_route { "spec.rules" } else { "spec.hosts" };
    let others = context.objects.add_ons.iter();
    let others = others.filter(|other| {
        // The same object may stand in two files.
        let is_other = name(other) != name(object) || other.id.kind != object.id.kind;
        is_other && !is_replaced(context, other)
    });
    findings.extend(others.filter_map(|other| shared(field, object, other)));
    let routes = context.objects.routes.iter();
    findings.extend(routes.filter_map(|route| elsewhere(context, field, object, route)));
    findings
}

fn name(object: &AddOn) -> (&str, &str) {
    (&object.id.namespace, &object.id.name)
}

/// Said of the one that comes second.
fn shared(field: &str, object: &AddOn, other: &AddOn) -> Option<Finding> {
    let others = &other.reading.requests;
    let is_shared = |it: &Requests| others.iter().any(|other| same(it, other));
    if !object.reading.requests.iter().any(is_shared) {
        return None;
    }
    let age = |object: &AddOn| object.metadata.creation_timestamp.as_ref().map(|it| it.0);
    let (shown, own) = (other.id.to_string(), object.id.to_string());
    if let (Some(own), Some(others)) = (age(object), age(other))
        && own != others
    {
        return (others < own).then(|| SAME_REQUESTS.at(field, &[("other", &shown)]));
    }
    // Here the first of the alphabet counts, there the last; and here of both names as one text.
    let text = |object: &AddOn| format!("{}/{}", object.id.namespace, object.id.name);
    let is_second = text(other) < text(object);
    let there = if name(other) < name(object) {
        &own
    } else {
        &shown
    };
    let facts = [
        ("other", shown.as_str()),
        ("here", &shown),
        ("there", there),
    ];
    is_second.then(|| SAME_REQUESTS_TIE.at(field, &facts))
}

/// A route for the same requests that leads neither to the interceptor nor to the object's Service.
fn elsewhere(context: &Context<'_>, field: &str, object: &AddOn, route: &Route) -> Option<Finding> {
    let own = object.service();
    let rule = route.rules.iter().find(|rule| {
        let mut backends = rule.backends.iter();
        let leads_here = backends.any(|backend| {
            let place = (backend.namespace.clone(), backend.service.clone());
            place == own || context.interceptors.name_of(&place).is_some()
        });
        let mut requests = object.reading.requests.iter();
        !rule.backends.is_empty() && !leads_here && requests.any(|it| is_for(rule, it))
    })?;
    let services = rule.backends.iter();
    let services = services.map(|it| format!("{}/{}", it.namespace, it.service));
    let services: Vec<String> = services.collect();
    let (services, route) = (services.join(", "), route.id.to_string());
    let service = target::shown(object, "", context.objects);
    let facts = [
        ("route", route.as_str()),
        ("services", &services),
        ("service", &service),
    ];
    Some(ROUTE_ELSEWHERE.at(field, &facts))
}

fn is_for(rule: &RouteRule, requests: &Requests) -> bool {
    let mut paths = requests.path_prefixes.iter();
    requests.headers.is_empty()
        && !rule.has_headers
        && requests.hosts.iter().any(|host| rule.hosts.contains(host))
        && paths.any(|path| rule.paths.contains(&Path::Prefix(path.clone())))
}
