//! HTTPRoute -> routes: one for each match of each rule.

use gateway_api::apis::standard::httproutes::{
    HttpRoute, HttpRouteParentRefs, HttpRouteRules, HttpRouteRulesBackendRefs,
    HttpRouteRulesMatches, HttpRouteRulesMatchesHeaders, HttpRouteRulesMatchesHeadersType,
    HttpRouteRulesMatchesMethod, HttpRouteRulesMatchesPath, HttpRouteRulesMatchesPathType,
    HttpRouteRulesMatchesQueryParams, HttpRouteRulesMatchesQueryParamsType,
};
use wakegate_core::{HeaderMatch, PathMatch, QueryMatch};

use super::{
    gateway::{Gateways, ParentRef},
    gateway_route::{self, BackendRef, Refusal},
    reader::Reader,
    route_object::{self, Match, RouteObject},
};
use crate::object::ObjectId;

pub(super) fn read(id: &ObjectId, route: &HttpRoute, gateways: Gateways<'_>) -> RouteObject {
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

fn parent(parent: &HttpRouteParentRefs) -> ParentRef<'_> {
    ParentRef {
        group: parent.group.as_deref(),
        kind: parent.kind.as_deref(),
        namespace: parent.namespace.as_deref(),
        name: &parent.name,
        section_name: parent.section_name.as_deref(),
        port: parent.port,
    }
}

fn read_rule(reader: &mut Reader<'_>, at: usize, rule: &HttpRouteRules) {
    let refs = rule.backend_refs.iter().flatten().map(backend);
    reader.begin_rule(rule.name.as_deref());
    let backends = gateway_route::backends(reader, &format!("spec.rules[{at}]"), refs);
    let matches = rule.matches.iter().flatten().map(read_match);
    gateway_route::rule(reader, at, matches, &backends);
}

fn backend(backend: &HttpRouteRulesBackendRefs) -> BackendRef<'_> {
    BackendRef {
        group: backend.group.as_deref(),
        kind: backend.kind.as_deref(),
        namespace: backend.namespace.as_deref(),
        name: &backend.name,
        port: backend.port,
        weight: backend.weight,
    }
}

fn read_match(matched: &HttpRouteRulesMatches) -> Result<Match, Refusal> {
    let HttpRouteRulesMatches {
        headers,
        method,
        path,
        query_params,
    } = matched;
    let path = path
        .as_ref()
        .map_or_else(|| Ok(route_object::prefix("/")), read_path)?;
    let mut read = Match::of(&[], path);
    read.method = method.as_ref().map(|method| method_name(method).to_owned());
    for (at, header) in headers.iter().flatten().enumerate() {
        let header = read_header(header).map_err(|why| (format!("headers[{at}].value"), why))?;
        gateway_route::add_header(&mut read.headers, header);
    }
    for (at, query) in query_params.iter().flatten().enumerate() {
        let query = read_query(query).map_err(|why| (format!("queryParams[{at}].type"), why))?;
        if read.query.iter().all(|first| first.name != query.name) {
            read.query.push(query);
        }
    }
    Ok(read)
}

fn read_path(path: &HttpRouteRulesMatchesPath) -> Result<PathMatch, Refusal> {
    let refused = |reason: String| ("path.value".to_owned(), reason);
    let value = path.value.as_deref().unwrap_or("/");
    let kind = path
        .r#type
        .as_ref()
        .unwrap_or(&HttpRouteRulesMatchesPathType::PathPrefix);
    match kind {
        HttpRouteRulesMatchesPathType::RegularExpression => gateway_route::regex(value)
            .map(PathMatch::Regex)
            .map_err(refused),
        _ if !value.starts_with('/') => Err(refused(format!("{value:?} does not begin with /"))),
        HttpRouteRulesMatchesPathType::Exact => Ok(PathMatch::Exact(value.to_owned())),
        HttpRouteRulesMatchesPathType::PathPrefix => Ok(route_object::prefix(value)),
    }
}

fn read_header(header: &HttpRouteRulesMatchesHeaders) -> Result<HeaderMatch, String> {
    let is_regex = match header.r#type {
        None | Some(HttpRouteRulesMatchesHeadersType::Exact) => false,
        Some(HttpRouteRulesMatchesHeadersType::RegularExpression) => true,
    };
    gateway_route::header(&header.name, &header.value, is_regex)
}

fn read_query(query: &HttpRouteRulesMatchesQueryParams) -> Result<QueryMatch, String> {
    match query.r#type {
        None | Some(HttpRouteRulesMatchesQueryParamsType::Exact) => Ok(QueryMatch {
            name: query.name.clone(),
            value: query.value.clone(),
        }),
        Some(HttpRouteRulesMatchesQueryParamsType::RegularExpression) => {
            Err("regular expressions over query parameters are not supported".to_owned())
        }
    }
}

fn method_name(method: &HttpRouteRulesMatchesMethod) -> &'static str {
    match method {
        HttpRouteRulesMatchesMethod::Get => "GET",
        HttpRouteRulesMatchesMethod::Head => "HEAD",
        HttpRouteRulesMatchesMethod::Post => "POST",
        HttpRouteRulesMatchesMethod::Put => "PUT",
        HttpRouteRulesMatchesMethod::Delete => "DELETE",
        HttpRouteRulesMatchesMethod::Connect => "CONNECT",
        HttpRouteRulesMatchesMethod::Options => "OPTIONS",
        HttpRouteRulesMatchesMethod::Trace => "TRACE",
        HttpRouteRulesMatchesMethod::Patch => "PATCH",
    }
}
