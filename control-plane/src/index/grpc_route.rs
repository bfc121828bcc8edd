//! GRPCRoute -> routes: one for each match of each rule.

use gateway_api::apis::standard::grpcroutes::{
    GrpcRoute, GrpcRouteParentRefs, GrpcRouteRules, GrpcRouteRulesBackendRefs,
    GrpcRouteRulesMatches, GrpcRouteRulesMatchesHeaders, GrpcRouteRulesMatchesHeadersType,
    GrpcRouteRulesMatchesMethod, GrpcRouteRulesMatchesMethodType,
};
use wakegate_core::{HeaderMatch, PathMatch};

use super::{
    gateway::{Gateways, ParentRef},
    gateway_route::{self, BackendRef, Refusal},
    reader::Reader,
    route_object::{self, Match, RouteObject},
};
use crate::object::ObjectId;

/// What stands for a service or a method that is not said.
const ANY: &str = "[^/]+";

pub(super) fn read(id: &ObjectId, route: &GrpcRoute, gateways: Gateways<'_>) -> RouteObject {
    let mut reader = Reader::new(id, &route.metadata, gateways.objects);
    let spec = &route.spec;
    let parents: Vec<ParentRef<'_>> = spec.parent_refs.iter().flatten().map(parent).collect();
    let places = gateway_route::places(&mut reader, gateways, &parents, spec.hostnames.as_deref());
    if !places.is_empty() {
        for (at, rule) in spec.rules.iter().flatten().enumerate() {
            read_rule(&mut reader, at, rule);
        }
    }
    gateway_route::finish(reader, gateways, &parents, places)
}

fn parent(parent: &GrpcRouteParentRefs) -> ParentRef<'_> {
    ParentRef {
        group: parent.group.as_deref(),
        kind: parent.kind.as_deref(),
        namespace: parent.namespace.as_deref(),
        name: &parent.name,
        section_name: parent.section_name.as_deref(),
        port: parent.port,
    }
}

fn read_rule(reader: &mut Reader<'_>, at: usize, rule: &GrpcRouteRules) {
    let refs = rule.backend_refs.iter().flatten().map(backend);
    reader.begin_rule(rule.name.as_deref());
    let backends = gateway_route::backends(reader, &format!("spec.rules[{at}]"), refs);
    let matches = rule.matches.iter().flatten().map(read_match);
    gateway_route::rule(reader, at, matches, &backends);
}

fn backend(backend: &GrpcRouteRulesBackendRefs) -> BackendRef<'_> {
    BackendRef {
        group: backend.group.as_deref(),
        kind: backend.kind.as_deref(),
        namespace: backend.namespace.as_deref(),
        name: &backend.name,
        port: backend.port,
        weight: backend.weight,
    }
}

fn read_match(matched: &GrpcRouteRulesMatches) -> Result<Match, Refusal> {
    let GrpcRouteRulesMatches { headers, method } = matched;
    let path = match method {
        Some(method) => read_method(method)?,
        None => route_object::prefix("/"),
    };
    let mut read = Match::of(&[], path);
    for (at, header) in headers.iter().flatten().enumerate() {
        let header = read_header(header).map_err(|why| (format!("headers[{at}].value"), why))?;
        gateway_route::add_header(&mut read.headers, header);
    }
    Ok(read)
}

/// A call is a POST to `/service/method`.
fn read_method(matched: &GrpcRouteRulesMatchesMethod) -> Result<PathMatch, Refusal> {
    let said = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let (service, method) = (said(&matched.service), said(&matched.method));
    match matched.r#type {
        Some(GrpcRouteRulesMatchesMethodType::RegularExpression) => {
            let group = |text: Option<String>| text.map(|text| format!("(?:{text})"));
            // Each by itself first: `a)(b` is none, and would be one inside the groups.
            for (field, text) in [("service", &service), ("method", &method)] {
                let text = text.as_deref().unwrap_or_default();
                gateway_route::regex(text).map_err(|why| (format!("method.{field}"), why))?;
            }
            pattern(group(service), group(method))
        }
        None | Some(GrpcRouteRulesMatchesMethodType::Exact) => {
            for (field, text, dots) in [("service", &service, "."), ("method", &method, "")] {
                if let Some(text) = text.as_deref().filter(|text| !is_name(text, dots)) {
                    let reason = format!("{text:?} is no name of a {field} of gRPC");
                    return Err((format!("method.{field}"), reason));
                }
            }
            match (service, method) {
                (Some(service), Some(method)) => {
                    Ok(PathMatch::Exact(format!("/{service}/{method}")))
                }
                (Some(service), None) => Ok(route_object::prefix(&format!("/{service}/"))),
                (None, method) => pattern(None, method),
            }
        }
    }
}

fn pattern(service: Option<String>, method: Option<String>) -> Result<PathMatch, Refusal> {
    if service.is_none() && method.is_none() {
        return Ok(route_object::prefix("/"));
    }
    let [service, method] = [service, method].map(|text| text.unwrap_or_else(|| ANY.to_owned()));
    gateway_route::regex(&format!("/{service}/{method}"))
        .map(PathMatch::Regex)
        .map_err(|why| ("method".to_owned(), why))
}

/// Letters, digits, `_`, and in a service dots; so that a method is a pattern for itself alone.
fn is_name(text: &str, dots: &str) -> bool {
    text.chars()
        .all(|char| char.is_ascii_alphanumeric() || char == '_' || dots.contains(char))
}

fn read_header(header: &GrpcRouteRulesMatchesHeaders) -> Result<HeaderMatch, String> {
    let is_regex = match header.r#type {
        None | Some(GrpcRouteRulesMatchesHeadersType::Exact) => false,
        Some(GrpcRouteRulesMatchesHeadersType::RegularExpression) => true,
    };
    gateway_route::header(&header.name, &header.value, is_regex)
}
