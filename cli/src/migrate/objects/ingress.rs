//! Ingress, as far as it matters where it leads.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend};

use super::{BackendRef, Id, Path, Rewrite, Route, RouteRule, route::hosts};

/// By which the class was said before there was a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";

pub(super) fn of_ingress(id: &Id, ingress: Ingress) -> Route {
    let annotations = ingress.metadata.annotations.unwrap_or_default();
    let spec = ingress.spec.unwrap_or_default();
    let rewrites = rewrites(&annotations);
    let mut rules = Vec::new();
    let mut add = |host: &str, path: Path, field: String, backend: IngressBackend| {
        let backend = backend.service.map(|service| BackendRef {
            field,
            namespace: id.namespace.clone(),
            service: service.name,
        });
        rules.push(RouteRule {
            hosts: hosts([host].into_iter().filter(|host| !host.is_empty())),
            paths: vec![path],
            has_headers: false,
            backends: backend.into_iter().collect(),
            rewrites: rewrites.clone(),
        });
    };
    for (at, rule) in spec.rules.into_iter().flatten().enumerate() {
        let host = rule.host.unwrap_or_default();
        let paths = rule.http.into_iter().flat_map(|http| http.paths);
        for (n, path) in paths.enumerate() {
            let field = format!("spec.rules[{at}].http.paths[{n}].backend.service");
            add(&host, matched(&path), field, path.backend);
        }
    }
    if let Some(backend) = spec.default_backend {
        let field = "spec.defaultBackend.service".to_owned();
        add("", Path::prefix("/"), field, backend);
    }
    let class = spec.ingress_class_name;
    let class = class.map(|class| ("spec.ingressClassName", class));
    let by_annotation = annotations.get(CLASS).cloned();
    let by_annotation =
        by_annotation.map(|class| ("metadata.annotations[kubernetes.io/ingress.class]", class));
    Route {
        id: id.clone(),
        class: class.or(by_annotation),
        rules,
    }
}

/// Those of nginx, and of who took over its words.
fn rewrites(annotations: &BTreeMap<String, String>) -> Vec<Rewrite> {
    let mut rewrites = Vec::new();
    for (name, value) in annotations {
        let field = format!("metadata.annotations[{name}]");
        if name.ends_with("/upstream-vhost") {
            rewrites.push(Rewrite::Host(field, value.clone()));
        } else if name.ends_with("/rewrite-target") {
            let is_plain = !value.contains('$');
            let path = is_plain.then(|| Path::Exact(value.clone()));
            rewrites.push(Rewrite::Path(field, path.unwrap_or(Path::Unknown)));
        }
    }
    rewrites
}

fn matched(path: &HTTPIngressPath) -> Path {
    let text = path.path.as_deref().unwrap_or("/");
    let is_pattern = |text: &str| text.bytes().any(|byte| b"(*[^$".contains(&byte));
    match path.path_type.as_str() {
        "Exact" => Path::Exact(text.to_owned()),
        "Prefix" => Path::prefix(text),
        // Most controllers take it for a prefix.
        _ if text.starts_with('/') && !is_pattern(text) => Path::prefix(text),
        _ => Path::Unknown,
    }
}
