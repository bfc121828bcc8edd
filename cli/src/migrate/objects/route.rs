//! HTTPRoute, GRPCRoute and ReferenceGrant, as far as it matters where they lead.

use serde::Deserialize;
use serde_json::Value;
use wakegate_api::http_add_on::HostPattern;

use super::{Id, Kind, Path};

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) id: Id,
    /// The class of an Ingress.
    pub(crate) class: Option<(&'static str, String)>,
    pub(crate) rules: Vec<RouteRule>,
}

/// Some of its requests.
#[derive(Clone, Debug)]
pub(crate) struct RouteRule {
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) paths: Vec<Path>,
    /// Whether there is more that requests must have.
    pub(crate) has_headers: bool,
    pub(crate) backends: Vec<BackendRef>,
    pub(crate) rewrites: Vec<Rewrite>,
}

/// Where they go.
#[derive(Clone, Debug)]
pub(crate) struct BackendRef {
    pub(crate) field: String,
    pub(crate) namespace: String,
    pub(crate) service: String,
}

/// What becomes of requests before they get there, and the field that says so.
#[derive(Clone, Debug)]
pub(crate) enum Rewrite {
    Host(String, String),
    Path(String, Path),
}

/// Who may lead to what.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: Id,
    /// Kind and namespace.
    pub(crate) from: Vec<(String, String)>,
    /// Services by their names; every one for `None`.
    pub(crate) to: Vec<Option<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WrittenRoute {
    #[serde(default)]
    spec: RouteSpec,
}

#[derive(Debug, Default, Deserialize)]
struct RouteSpec {
    #[serde(default)]
    hostnames: Vec<String>,
    #[serde(default)]
    rules: Vec<WrittenRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRule {
    #[serde(default)]
    matches: Vec<Value>,
    #[serde(default)]
    filters: Vec<Value>,
    #[serde(default)]
    backend_refs: Vec<WrittenBackend>,
}

#[derive(Debug, Deserialize)]
struct WrittenBackend {
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    filters: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WrittenGrant {
    #[serde(default)]
    spec: GrantSpec,
}

#[derive(Debug, Default, Deserialize)]
struct GrantSpec {
    #[serde(default)]
    from: Vec<GrantFrom>,
    #[serde(default)]
    to: Vec<GrantTo>,
}

#[derive(Debug, Deserialize)]
struct GrantFrom {
    kind: String,
    namespace: String,
}

#[derive(Debug, Deserialize)]
struct GrantTo {
    kind: String,
    #[serde(default)]
    name: Option<String>,
}

pub(super) fn of_gateway(id: &Id, written: WrittenRoute) -> Route {
    let RouteSpec { hostnames, rules } = written.spec;
    let rules = rules.into_iter().enumerate();
    let rules = rules.map(|(at, rule)| gateway_rule(id, &hostnames, at, rule));
    Route {
        id: id.clone(),
        class: None,
        rules: rules.collect(),
    }
}

fn gateway_rule(id: &Id, hostnames: &[String], at: usize, rule: WrittenRule) -> RouteRule {
    let field = format!("spec.rules[{at}]");
    let mut rewrites = rewrites(&format!("{field}.filters"), &rule.filters);
    let mut backends = Vec::new();
    for (n, backend) in rule.backend_refs.into_iter().enumerate() {
        let field = format!("{field}.backendRefs[{n}]");
        rewrites.extend(self::rewrites(
            &format!("{field}.filters"),
            &backend.filters,
        ));
        let is_service = backend.group.is_none_or(|group| group.is_empty())
            && backend.kind.is_none_or(|kind| kind == "Service");
        if is_service {
            backends.push(BackendRef {
                field,
                namespace: backend.namespace.unwrap_or_else(|| id.namespace.clone()),
                service: backend.name,
            });
        }
    }
    let path = |value: &Value| {
        if id.kind == Kind::GrpcRoute {
            grpc_path(value.get("method"))
        } else {
            http_path(value.get("path"))
        }
    };
    let mut paths: Vec<Path> = rule.matches.iter().map(path).collect();
    if paths.is_empty() {
        paths.push(Path::prefix("/"));
    }
    // Of a GRPCRoute the method is the path.
    let more: &[&str] = if id.kind == Kind::GrpcRoute {
        &["headers"]
    } else {
        &["headers", "queryParams", "method"]
    };
    let has_more = |value: &Value| more.iter().any(|name| value.get(name).is_some());
    RouteRule {
        hosts: hosts(hostnames.iter().map(String::as_str)),
        paths,
        has_headers: rule.matches.iter().any(has_more),
        backends,
        rewrites,
    }
}

pub(super) fn hosts<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<HostPattern> {
    let mut hosts: Vec<HostPattern> = texts.filter_map(HostPattern::parse).collect();
    if hosts.is_empty() {
        hosts.push(HostPattern::Any);
    }
    hosts
}

fn http_path(path: Option<&Value>) -> Path {
    let text = |name| path.and_then(|path| path.get(name)?.as_str());
    let value = text("value").unwrap_or("/");
    match text("type") {
        None | Some("PathPrefix") => Path::prefix(value),
        Some("Exact") => Path::Exact(value.to_owned()),
        Some(_) => Path::Unknown,
    }
}

fn grpc_path(method: Option<&Value>) -> Path {
    let text = |name| method.and_then(|method| method.get(name)?.as_str());
    match (text("type"), text("service"), text("method")) {
        (None | Some("Exact"), Some(service), Some(method)) => {
            Path::Exact(format!("/{service}/{method}"))
        }
        (None | Some("Exact"), Some(service), None) => Path::prefix(service),
        (_, None, None) => Path::prefix("/"),
        _ => Path::Unknown,
    }
}

fn rewritten(path: &Value) -> Path {
    let text = |name: &str| path.get(name).and_then(Value::as_str);
    match (text("replaceFullPath"), text("replacePrefixMatch")) {
        (Some(path), _) => Path::Exact(path.to_owned()),
        (None, Some(prefix)) => Path::prefix(prefix),
        (None, None) => Path::Unknown,
    }
}

fn rewrites(field: &str, filters: &[Value]) -> Vec<Rewrite> {
    let mut all = Vec::new();
    for (at, filter) in filters.iter().enumerate() {
        let rewrite = |name: &str| filter.pointer(&format!("/urlRewrite/{name}"));
        if let Some(host) = rewrite("hostname").and_then(Value::as_str) {
            let field = format!("{field}[{at}].urlRewrite.hostname");
            all.push(Rewrite::Host(field, host.to_owned()));
        }
        if let Some(path) = rewrite("path") {
            let field = format!("{field}[{at}].urlRewrite.path");
            all.push(Rewrite::Path(field, rewritten(path)));
        }
        let set = filter.pointer("/requestHeaderModifier/set");
        let set = set.and_then(Value::as_array);
        for header in set.into_iter().flatten() {
            let text = |name| header.get(name).and_then(Value::as_str);
            if let (Some(name), Some(value)) = (text("name"), text("value"))
                && name.eq_ignore_ascii_case("host")
            {
                let field = format!("{field}[{at}].requestHeaderModifier.set");
                all.push(Rewrite::Host(field, value.to_owned()));
            }
        }
    }
    all
}

pub(super) fn grant(id: &Id, written: WrittenGrant) -> Grant {
    let GrantSpec { from, to } = written.spec;
    let to = to.into_iter().filter(|to| to.kind == "Service");
    Grant {
        id: id.clone(),
        from: from.into_iter().map(|it| (it.kind, it.namespace)).collect(),
        to: to.map(|to| to.name).collect(),
    }
}
