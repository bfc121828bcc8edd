//! HTTPRoute -> routes: one for each match of each rule.

use gateway_api::apis::standard::httproutes::{
    HttpRoute, HttpRouteRules, HttpRouteRulesBackendRefs, HttpRouteRulesMatches,
    HttpRouteRulesMatchesHeaders, HttpRouteRulesMatchesHeadersType, HttpRouteRulesMatchesMethod,
    HttpRouteRulesMatchesPath, HttpRouteRulesMatchesPathType, HttpRouteRulesMatchesQueryParams,
    HttpRouteRulesMatchesQueryParamsType,
};
use wakegate_core::{HeaderMatch, HostMatch, PathMatch, QueryMatch, Regex, ValueMatch};

use super::{
    Origin,
    objects::Objects,
    reader::{self, Match, PortRef, Reader, Resolved, RouteObject},
};
use crate::object::ObjectId;

const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// A field of a match that cannot be used, and why.
type Refusal = (String, String);

pub(super) fn read(id: &ObjectId, route: &HttpRoute, objects: &Objects) -> RouteObject {
    let mut reader = Reader::new(id, &route.metadata, objects);
    let hosts = hosts(route, &mut reader);
    for (at, rule) in route.spec.rules.iter().flatten().enumerate() {
        // Hostnames that are all wrong are no hostname at all, and not every one.
        if let Some(hosts) = &hosts {
            read_rule(&mut reader, at, rule, hosts);
        }
    }
    reader.finish(origin(id, route))
}

fn origin(id: &ObjectId, route: &HttpRoute) -> Origin {
    let parents = route.spec.parent_refs.iter().flatten();
    let gateways = parents.filter(|parent| {
        parent
            .group
            .as_deref()
            .is_none_or(|group| group == GATEWAY_GROUP)
            && parent.kind.as_deref().is_none_or(|kind| kind == "Gateway")
    });
    let gateways = gateways.map(|parent| {
        let namespace = parent.namespace.as_deref().unwrap_or(&id.namespace);
        format!("{namespace}/{}", parent.name)
    });
    let namespace = id.namespace.as_ref().to_owned();
    Origin {
        namespace,
        gateways: gateways.collect(),
        ingress_class: None,
    }
}

fn hosts(route: &HttpRoute, reader: &mut Reader<'_>) -> Option<Vec<HostMatch>> {
    let Some(names) = route
        .spec
        .hostnames
        .as_deref()
        .filter(|names| !names.is_empty())
    else {
        return Some(Vec::new());
    };
    let mut hosts = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match reader::host(name, HostMatch::Suffix) {
            Ok(host) => hosts.push(host),
            Err(reason) => reader.find(&format!("spec.hostnames[{at}]"), reason),
        }
    }
    (!hosts.is_empty()).then_some(hosts)
}

fn read_rule(reader: &mut Reader<'_>, at: usize, rule: &HttpRouteRules, hosts: &[HostMatch]) {
    let field = format!("spec.rules[{at}]");
    let backends: Vec<Resolved> = rule
        .backend_refs
        .iter()
        .flatten()
        .enumerate()
        .filter_map(|(at, backend)| {
            read_backend(reader, &format!("{field}.backendRefs[{at}]"), backend)
        })
        .collect();
    let all = HttpRouteRulesMatches::default();
    let matches = rule
        .matches
        .as_deref()
        .filter(|matches| !matches.is_empty());
    for (n, matched) in matches
        .unwrap_or(std::slice::from_ref(&all))
        .iter()
        .enumerate()
    {
        match read_match(matched, hosts) {
            Ok(read) => reader.route(&format!("{at}/{n}"), read, &backends),
            Err((inner, reason)) => {
                let reason = format!("{reason}; the match is passed over");
                reader.find(&format!("{field}.matches[{n}].{inner}"), reason);
            }
        }
    }
}

fn read_backend(
    reader: &mut Reader<'_>,
    field: &str,
    backend: &HttpRouteRulesBackendRefs,
) -> Option<Resolved> {
    let group = backend.group.as_deref().unwrap_or_default();
    let kind = backend.kind.as_deref().unwrap_or("Service");
    if !group.is_empty() || kind != "Service" {
        reader.refuse(field, &format!("{kind} is no Service"));
        return None;
    }
    if backend
        .namespace
        .as_deref()
        .is_some_and(|namespace| !reader.is_own(namespace))
    {
        reader.refuse(
            field,
            "it is in another namespace, and ReferenceGrants are not read yet",
        );
        return None;
    }
    let Some(port) = backend.port else {
        reader.refuse(field, "it names no port");
        return None;
    };
    let weight = u32::try_from(backend.weight.unwrap_or(1)).unwrap_or(0);
    reader.backend(field, &backend.name, PortRef::Number(port), weight)
}

fn read_match(matched: &HttpRouteRulesMatches, hosts: &[HostMatch]) -> Result<Match, Refusal> {
    let HttpRouteRulesMatches {
        headers,
        method,
        path,
        query_params,
    } = matched;
    let path = path
        .as_ref()
        .map_or_else(|| Ok(reader::prefix("/")), read_path)?;
    let mut read = Match::of(hosts, path);
    read.method = method.as_ref().map(|method| method_name(method).to_owned());
    for (at, header) in headers.iter().flatten().enumerate() {
        let header = read_header(header).map_err(|why| (format!("headers[{at}].value"), why))?;
        // Of several with one name the first counts, as Gateway API has it.
        if read.headers.iter().all(|first| first.name != header.name) {
            read.headers.push(header);
        }
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
        HttpRouteRulesMatchesPathType::RegularExpression => {
            regex(value).map(PathMatch::Regex).map_err(refused)
        }
        _ if !value.starts_with('/') => Err(refused(format!("{value:?} does not begin with /"))),
        HttpRouteRulesMatchesPathType::Exact => Ok(PathMatch::Exact(value.to_owned())),
        HttpRouteRulesMatchesPathType::PathPrefix => Ok(reader::prefix(value)),
    }
}

fn read_header(header: &HttpRouteRulesMatchesHeaders) -> Result<HeaderMatch, String> {
    let value = match header.r#type {
        None | Some(HttpRouteRulesMatchesHeadersType::Exact) => {
            ValueMatch::Exact(header.value.clone())
        }
        Some(HttpRouteRulesMatchesHeadersType::RegularExpression) => {
            ValueMatch::Regex(regex(&header.value)?)
        }
    };
    Ok(HeaderMatch {
        name: header.name.to_ascii_lowercase(),
        value,
    })
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

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })
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
