//! What Istio's DestinationRules make of the way to the two daemons, and to what is held for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Context, Found, PARTS, istio::workloads, reach::destination};
use crate::doctor::{
    attachment::{Attachment, By},
    objects::{DESTINATION_RULE, ENVOY_FILTER, MESH, Object, Objects, text_at},
    part::{CONTROL_PLANE, SCALER, is_part, parts, wants_tls},
    rules::istio::{NO_TLS, OUTLIERS_OF_BACKEND, OUTLIERS_OF_PART},
};

/// How many failures in a row take an endpoint out where it is not said.
const CONSECUTIVE: u64 = 5;

/// More than that are no start of a pod: each worker of an Envoy asks a pod four times within the two seconds after which
/// it lets a request try.
const MANY: u64 = 20;

/// A daemon as a filter is told of it: which, and its Service with the port.
struct Target<'a> {
    part: &'a str,
    namespace: &'a str,
    service: &'a str,
    port: u64,
}

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let by_istio = |it: &&Attachment<'_>| it.by != By::ExtensionPolicy;
    for attachment in context.attachments.iter().filter(by_istio) {
        let clients = clients(context.objects, attachment);
        for part in PARTS {
            let cluster = attachment.cluster(part).and_then(destination);
            if let Some((namespace, service, port)) = cluster {
                let target = Target {
                    part,
                    namespace,
                    service,
                    port,
                };
                for client in &clients {
                    daemon(context.objects, (attachment, client), &target, found);
                }
            }
        }
        for client in clients {
            backends(context, client, found);
        }
    }
}

/// The namespaces of the gateways that an attachment is for: what is in a namespace counts for its own pods.
fn clients<'a>(objects: &'a Objects, attachment: &Attachment<'a>) -> BTreeSet<&'a str> {
    let gateways = workloads(objects, attachment).into_iter();
    let clients: BTreeSet<_> = gateways.map(|it| &*it.id.namespace).collect();
    let own = &*attachment.object.id.namespace;
    // What is in the root namespace is for gateways anywhere, which are not known then.
    if clients.is_empty() && own != MESH.0 {
        return [own].into();
    }
    clients
}

fn daemon(
    objects: &Objects,
    (attachment, client): (&Attachment<'_>, &str),
    target: &Target<'_>,
    found: &mut Found,
) {
    let Target {
        part,
        namespace,
        service,
        port,
    } = *target;
    let rule = rule(objects, client, (namespace, service));
    let policy = rule.and_then(|it| policy(it, Some(port)));
    let shown = part.replace('_', " ");
    if let Some(rule) = rule.filter(|_| policy.and_then(failures).is_some()) {
        let finding = OUTLIERS_OF_PART.at("spec.trafficPolicy", &[("part", &shown)]);
        found.say(&rule.id, finding);
    }
    if !is_tls_wanted(objects, part, namespace) {
        return;
    }
    let mode = policy.and_then(|it| text_at(it, "/tls/mode"));
    let host = format!("{service}.{namespace}.svc.cluster.local");
    let (id, field, problem) = match (rule, mode) {
        (Some(_), Some("MUTUAL" | "ISTIO_MUTUAL")) => return,
        (Some(rule), Some(mode)) => (
            &rule.id,
            "spec.trafficPolicy".to_owned(),
            format!("for port {port} it says {mode}"),
        ),
        (Some(rule), None) => (
            &rule.id,
            "spec.trafficPolicy".to_owned(),
            format!("it says nothing of TLS for port {port}"),
        ),
        (None, _) if may_be_elsewhere(objects, client, namespace) => return,
        (None, _) => (
            &attachment.object.id,
            attachment.field.clone(),
            format!("no DestinationRule is for {host} in namespace {client}"),
        ),
    };
    let facts = [("part", &*shown), ("problem", &*problem)];
    found.say(id, NO_TLS.at(field, &facts));
}

/// Whether a daemon was seen to be told nothing of plain text.
fn is_tls_wanted(objects: &Objects, part: &str, namespace: &str) -> bool {
    let name = if part == "scaler" {
        SCALER
    } else {
        CONTROL_PLANE
    };
    let mut deployments = parts(objects);
    deployments
        .any(|it| it.id.namespace == namespace && is_part(it, name) && wants_tls(it) == Some(true))
}

/// Whether something that was not read, or an EnvoyFilter, may say how the cluster speaks TLS.
fn may_be_elsewhere(objects: &Objects, client: &str, namespace: &str) -> bool {
    let all = [client, namespace, MESH.0];
    let is_read = all
        .iter()
        .all(|it| objects.has_all(DESTINATION_RULE, it) && objects.has_all(ENVOY_FILTER, it));
    let mut patches = objects
        .all(ENVOY_FILTER)
        .iter()
        .flat_map(|it| it.list("/spec/configPatches"));
    !is_read || patches.any(|it| text_at(it, "/applyTo") == Some("CLUSTER"))
}

/// The Services of what is held, by the DestinationRules that a gateway goes by.
fn backends(context: &Context<'_>, client: &str, found: &mut Found) {
    for route in &context.routes {
        for (namespace, service) in &route.services {
            let rule = rule(context.objects, client, (namespace, service));
            let Some(rule) = rule else {
                continue;
            };
            let failures = policy(rule, None).and_then(failures);
            if failures.is_some_and(|it| it < MANY) {
                let facts = [
                    ("service", &*format!("{namespace}/{service}")),
                    ("route", &*route.object.id.to_string()),
                ];
                let finding = OUTLIERS_OF_BACKEND.at("spec.trafficPolicy", &facts);
                found.say(&rule.id, finding);
            }
        }
    }
}

/// The DestinationRule that a client in a namespace goes by: its own before the Service's, and that before the mesh's; of
/// one namespace the one whose host says most.
fn rule<'a>(
    objects: &'a Objects,
    client: &str,
    (namespace, service): (&str, &str),
) -> Option<&'a Object> {
    let mut namespaces = vec![client, namespace, MESH.0];
    namespaces.dedup();
    namespaces.into_iter().find_map(|place| {
        let rules = objects.all(DESTINATION_RULE).iter();
        let here = rules.filter(|it| it.id.namespace == place && is_exported(it, client));
        let meant = here.filter_map(|it| {
            let host = it.text("/spec/host")?;
            is_host(host, place, (namespace, service)).then_some((it, host))
        });
        let most = meant.max_by_key(|(_, host)| (!host.starts_with('*'), host.len()));
        most.map(|(it, _)| it)
    })
}

fn is_exported(rule: &Object, client: &str) -> bool {
    let to = rule.list("/spec/exportTo");
    let mut to_names = to.iter().filter_map(Value::as_str);
    rule.id.namespace == client || to.is_empty() || to_names.any(|it| it == "*" || it == client)
}

/// Whether a rule's host is a Service. A name without dots is one of the rule's own namespace.
fn is_host(host: &str, place: &str, (namespace, service): (&str, &str)) -> bool {
    let whole = format!("{service}.{namespace}.svc.cluster.local");
    match host.strip_prefix('*') {
        Some(end) => whole.ends_with(end),
        None if !host.contains('.') => host == service && place == namespace,
        None => {
            let of_cluster = format!("{service}.{namespace}.svc");
            host == format!("{service}.{namespace}") || host.starts_with(&of_cluster)
        }
    }
}

/// What is in force for a port: what is said of it stands in place of all that is said of the whole.
fn policy(rule: &Object, port: Option<u64>) -> Option<&Value> {
    let whole = rule.at("/spec/trafficPolicy")?;
    let mut ports = rule.list("/spec/trafficPolicy/portLevelSettings").iter();
    let of_port = ports.find(|it| {
        let number = it.pointer("/port/number").and_then(Value::as_u64);
        number.is_some_and(|number| port.is_none_or(|it| it == number) && port.is_some())
    });
    Some(of_port.unwrap_or(whole))
}

/// How many failures in a row take an endpoint out. A connection that is refused is both kinds of error.
fn failures(policy: &Value) -> Option<u64> {
    let detection = policy.get("outlierDetection")?;
    let number = |field: &str| detection.get(field).and_then(Value::as_u64);
    let of_any = number("consecutive5xxErrors").unwrap_or(CONSECUTIVE);
    let of_gateway = number("consecutiveGatewayErrors").unwrap_or(0);
    [of_any, of_gateway].into_iter().filter(|it| *it > 0).min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hosts_are_read_as_istio_does() {
        let check = |host: &str, expected: bool| {
            let is = is_host(host, "edge", ("wakegate", "wakegate-scaler"));
            assert_eq!(is, expected, "{host}");
        };
        check("wakegate-scaler.wakegate.svc.cluster.local", true);
        check("wakegate-scaler.wakegate", true);
        check("*.wakegate.svc.cluster.local", true);
        check("*", true);
        // Of the rule's own namespace.
        check("wakegate-scaler", false);
        check("scaler.wakegate.svc.cluster.local", false);
        check("*.shop.svc.cluster.local", false);
    }

    #[test]
    fn what_is_said_of_a_port_stands_alone() {
        let mut objects = Objects::of_whole_cluster();
        let rule = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": { "name": "a", "namespace": "b" },
            "spec": { "trafficPolicy": {
                "outlierDetection": {},
                "portLevelSettings": [{ "port": { "number": 9090 }, "tls": { "mode": "MUTUAL" } }],
            } },
        });
        objects.add(rule, None);
        let [rule] = objects.all(DESTINATION_RULE) else {
            panic!("{objects:?}")
        };
        let at = |port| policy(rule, port).and_then(failures);
        assert_eq!(
            [Some(9090), Some(9091), None].map(at),
            [None, Some(5), Some(5)]
        );
    }

    #[test]
    fn the_fewer_failures_count_and_zero_is_none() {
        let check = |detection: Value, expected| {
            let policy = json!({ "outlierDetection": detection });
            assert_eq!(failures(&policy), expected, "{policy}");
        };
        check(json!({}), Some(5));
        check(json!({ "consecutive5xxErrors": 0 }), None);
        check(
            json!({ "consecutive5xxErrors": 0, "consecutiveGatewayErrors": 9 }),
            Some(9),
        );
        check(json!({ "consecutiveGatewayErrors": 3 }), Some(3));
        assert_eq!(failures(&json!({})), None);
    }
}
