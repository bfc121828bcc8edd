//! The Service of an object, and its port.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use wakegate_api::http_add_on::Port;

use super::Context;
use crate::migrate::{
    objects::{AddOn, Kind, Objects},
    rules::{
        Finding,
        objects::{EXTERNAL_TARGET, NO_PORT, NO_SERVICE, SERVICE_NOT_CHECKED},
    },
};

/// How a port is written.
pub(super) fn port_text(port: &Port) -> String {
    match port {
        Port::Number(number) => number.to_string(),
        Port::Name(name) => name.clone(),
    }
}

/// Where an object's requests should go, as a route writes it: of the route's namespace, or of another.
pub(super) fn shown(object: &AddOn, namespace: &str, objects: &Objects) -> String {
    let (target_namespace, service) = object.service();
    let port = number(object, objects);
    if target_namespace == namespace {
        format!("Service {service}, port {port}")
    } else {
        format!("Service {service} of namespace {target_namespace}, port {port}")
    }
}

/// The number of the port where it can be known: routes of a Gateway have no names for ports.
fn number(object: &AddOn, objects: &Objects) -> String {
    let Port::Name(name) = &object.reading.target.port else {
        return port_text(&object.reading.target.port);
    };
    let service = objects.services.get(&object.service());
    let ports = service.map_or(&[][..], |(_, service)| ports(service));
    let port = ports.iter().find(|port| port.name.as_ref() == Some(name));
    port.map_or_else(
        || format!("{name} (by its number)"),
        |it| it.port.to_string(),
    )
}

fn ports(service: &Service) -> &[ServicePort] {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.ports.as_deref())
        .unwrap_or_default()
}

pub(super) fn check(context: &Context<'_>, object: &AddOn) -> Option<Finding> {
    let (namespace, service) = object.service();
    let (field, service_field) = if object.is_route() {
        ("spec.target", "spec.target.service")
    } else {
        ("spec.scaleTargetRef", "spec.scaleTargetRef.service")
    };
    let port = &object.reading.target.port;
    let Some((_, there)) = context.objects.services.get(&object.service()) else {
        if context.objects.has_all(Kind::Service, &namespace) {
            return Some(NO_SERVICE.at(service_field, &[("service", &service)]));
        }
        let port = port_text(port);
        let facts = [
            ("namespace", namespace.as_str()),
            ("service", &service),
            ("port", &port),
        ];
        return Some(SERVICE_NOT_CHECKED.at(service_field, &facts));
    };
    let r#type = there.spec.as_ref().and_then(|spec| spec.type_.as_deref());
    if r#type == Some("ExternalName") {
        return Some(EXTERNAL_TARGET.at(service_field, &[("service", &service)]));
    }
    let is_it = |it: &&ServicePort| match port {
        Port::Number(number) => it.port == i32::from(number.get()),
        Port::Name(name) => it.name.as_ref() == Some(name),
    };
    let ports = ports(there);
    if ports.iter().any(|it| is_it(&it)) {
        return None;
    }
    let listed = ports.iter().map(|it| match &it.name {
        Some(name) => format!("{} ({name})", it.port),
        None => it.port.to_string(),
    });
    let listed: Vec<String> = listed.collect();
    let listed = match listed.as_slice() {
        [] => "none".to_owned(),
        some => some.join(", "),
    };
    let port = port_text(port);
    let facts = [
        ("service", service.as_str()),
        ("port", &port),
        ("ports", &listed),
    ];
    Some(NO_PORT.at(field, &facts))
}
