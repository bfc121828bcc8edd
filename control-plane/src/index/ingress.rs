//! Ingress -> routes: one for each path of each rule, and one for the default backend.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressServiceBackend,
};
use wakegate_core::{HostMatch, PathMatch};

use super::{
    Origin, hosts,
    objects::Objects,
    reader::{PortRef, Reader, Resolved},
    route_object::{self, Match, RouteObject},
};
use crate::object::{Code, ObjectId};

/// The annotation that named the class before `spec.ingressClassName` did.
const CLASS: &str = "kubernetes.io/ingress.class";

pub(super) fn read(id: &ObjectId, ingress: &Ingress, objects: &Objects) -> RouteObject {
    let mut reader = Reader::new(id, &ingress.metadata, objects);
    let spec = ingress.spec.as_ref();
    for (at, rule) in spec
        .iter()
        .flat_map(|spec| spec.rules.iter().flatten())
        .enumerate()
    {
        let field = format!("spec.rules[{at}]");
        let host = rule.host.as_deref().filter(|host| !host.is_empty());
        let hosts = match host
            .map(|host| hosts::host(host, HostMatch::SingleLabel))
            .transpose()
        {
            Ok(host) => host.into_iter().collect::<Vec<_>>(),
            Err(reason) => {
                reader.find(&format!("{field}.host"), reason);
                continue;
            }
        };
        for (n, path) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
            let field = format!("{field}.http.paths[{n}]");
            read_path(&mut reader, &field, &format!("{at}/{n}"), (path, &hosts));
        }
    }
    if let Some(backend) = spec.and_then(|spec| spec.default_backend.as_ref()) {
        reader.begin_rule(None);
        let backend = read_backend(&mut reader, "spec.defaultBackend", backend);
        let every = Match::of(&[], route_object::prefix("/"));
        let place = ("default", "spec.defaultBackend");
        reader.route(place, every, &Vec::from_iter(backend));
    }
    reader.finish(origin(id, ingress))
}

fn origin(id: &ObjectId, ingress: &Ingress) -> Origin {
    let named = ingress
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.clone());
    let annotated = || ingress.metadata.annotations.as_ref()?.get(CLASS).cloned();
    Origin {
        namespace: id.namespace.as_ref().to_owned(),
        ingress_class: Some(named.or_else(annotated).unwrap_or_default()),
        ..Origin::default()
    }
}

fn read_path(
    reader: &mut Reader<'_>,
    field: &str,
    place: &str,
    (path, hosts): (&HTTPIngressPath, &[HostMatch]),
) {
    let text = path
        .path
        .as_deref()
        .filter(|path| !path.is_empty())
        .unwrap_or("/");
    let matched = match path.path_type.as_str() {
        _ if !text.starts_with('/') => Err(("path", format!("{text:?} does not begin with /"))),
        "Exact" => Ok(PathMatch::Exact(text.to_owned())),
        "Prefix" | "ImplementationSpecific" => Ok(route_object::prefix(text)),
        other => Err((
            "pathType",
            format!("{other:?} is not Exact, Prefix or ImplementationSpecific"),
        )),
    };
    match matched {
        Ok(matched) => {
            reader.begin_rule(None);
            let backend = read_backend(reader, &format!("{field}.backend"), &path.backend);
            let matched = Match::of(hosts, matched);
            reader.route((place, field), matched, &Vec::from_iter(backend));
        }
        Err((inner, reason)) => {
            let reason = format!("{reason}; the path is passed over");
            reader.find(&format!("{field}.{inner}"), reason);
        }
    }
}

fn read_backend(
    reader: &mut Reader<'_>,
    field: &str,
    backend: &IngressBackend,
) -> Option<Resolved> {
    let Some(IngressServiceBackend { name, port }) = &backend.service else {
        reader.refuse(field, "it is no Service", Code::BackendNotHeld);
        return None;
    };
    let port = port.as_ref().and_then(|port| {
        let number = port
            .number
            .filter(|number| *number != 0)
            .map(PortRef::Number);
        number.or_else(|| port.name.as_deref().map(PortRef::Name))
    });
    let Some(port) = port else {
        reader.refuse(field, "it names no port", Code::BackendNotHeld);
        return None;
    };
    let service = reader.service(None, name);
    reader.backend(field, &service, port, 1)
}
