//! How the filter reaches the two daemons at Istio, which has a cluster for each port of each Service.

use super::{Context, Found, PARTS};
use crate::doctor::{
    attachment::{Attachment, By},
    objects::{Object, Objects, SERVICE, list_at, text_at},
    rules::istio::{NOT_EXPORTED, NOT_GRPC, SERVICE_MISSING},
};

/// Protocols with HTTP/2 at the other end, as names of ports begin and as `appProtocol` has them. What speaks TLS may.
const HTTP2: [&str; 5] = ["grpc", "http2", "kubernetes.io/h2c", "https", "tls"];

/// Where a Service says which namespaces may see it.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let by_istio = |it: &&Attachment<'_>| it.by != By::ExtensionPolicy;
    for attachment in context.attachments.iter().filter(by_istio) {
        for part in PARTS {
            if let Some(cluster) = attachment.cluster(part) {
                reaches(context.objects, attachment, (part, cluster), found);
            }
        }
    }
}

/// The Service and the port of a cluster that Istio makes: `outbound|9090||name.namespace.svc.cluster.local`.
pub(super) fn destination(cluster: &str) -> Option<(&str, &str, u64)> {
    let mut parts = cluster.strip_prefix("outbound|")?.split('|');
    let (port, host) = (parts.next()?.parse().ok()?, parts.nth(1)?);
    let (name, rest) = host.split_once('.')?;
    let (namespace, _) = rest.split_once(".svc")?;
    Some((namespace, name, port))
}

fn reaches(
    objects: &Objects,
    attachment: &Attachment<'_>,
    (daemon, cluster): (&str, &str),
    found: &mut Found,
) {
    // Of other names nobody knows here who makes them.
    let Some((namespace, name, port)) = destination(cluster) else {
        return;
    };
    let service = objects.get(SERVICE, namespace, name);
    if service.is_none() && !objects.has_all(SERVICE, namespace) {
        return;
    }
    let of_port = service.and_then(|it| with_number(it, port));
    let (shown, number) = (format!("{namespace}/{name}"), port.to_string());
    let facts = [
        ("service", &*shown),
        ("port", &*number),
        ("part", &*daemon.replace('_', " ")),
        ("namespace", &*attachment.object.id.namespace),
    ];
    let Some((service, of_port)) = service.zip(of_port) else {
        let finding = SERVICE_MISSING.at(&*attachment.field, &facts);
        found.say(&attachment.object.id, finding);
        return;
    };
    let said = text_at(of_port, "/appProtocol").or_else(|| text_at(of_port, "/name"));
    let is_http2 = said.is_some_and(|it| HTTP2.iter().any(|protocol| it.starts_with(protocol)));
    if !is_http2 {
        found.say(&service.id, NOT_GRPC.at("spec.ports[]", &facts));
    }
    let exported = service.annotations().find(|(key, _)| *key == EXPORT_TO);
    let is_seen = exported.is_none_or(|(_, to)| {
        let mut to = to.split(',').map(str::trim);
        let is_same = attachment.object.id.namespace == service.id.namespace;
        to.any(|it| it == "*" || it == attachment.object.id.namespace || it == "." && is_same)
    });
    if !is_seen {
        let field = format!("metadata.annotations[{EXPORT_TO}]");
        found.say(&service.id, NOT_EXPORTED.at(field, &facts));
    }
}

fn with_number(service: &Object, port: u64) -> Option<&serde_json::Value> {
    let mut ports = list_at(&service.value, "/spec/ports").iter();
    ports.find(|it| it.get("port").and_then(serde_json::Value::as_u64) == Some(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_called_after_services() {
        let cluster = "outbound|9090||wakegate-scaler.wakegate.svc.cluster.local";
        assert_eq!(
            destination(cluster),
            Some(("wakegate", "wakegate-scaler", 9090))
        );
        assert_eq!(destination("outbound|80||example.com"), None);
        assert_eq!(destination("wakegate-scaler"), None);
    }
}
