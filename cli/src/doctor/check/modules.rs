//! How Envoy Gateway gets the module, and how the filter reaches the two daemons there.

use serde_json::Value;

use super::{Context, Found, PARTS, name};
use crate::doctor::{
    attachment::{Attachment, By},
    gateway::{envoy_proxies, serves},
    objects::{GATEWAY, GRPC_ROUTE, HTTP_ROUTE, Object, Objects, PATCH_POLICY, text_at},
    policy::sections,
    rules::envoy_gateway::{FAIL_OPEN, NO_CLUSTER, UNPINNED},
};

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let of_policies = |it: &&Attachment<'_>| it.by == By::ExtensionPolicy;
    for attachment in context.attachments.iter().filter(of_policies) {
        let value = attachment.value;
        if value.pointer("/failOpen").and_then(Value::as_bool) != Some(true) {
            let finding = FAIL_OPEN.at(attachment.at("failOpen"), &[]);
            found.say(&attachment.object.id, finding);
        }
        let mut codes = ["/code/image", "/code/http"].into_iter();
        let code = codes.find_map(|it| value.pointer(it));
        let url = code.and_then(|it| text_at(it, "/url")).unwrap_or_default();
        let is_pinned = code.and_then(|it| text_at(it, "/sha256")).is_some();
        if let Some(problem) = unpinned(url, is_pinned) {
            let finding = UNPINNED.at(attachment.at("code"), &[("problem", &problem)]);
            found.say(&attachment.object.id, finding);
        }
        for gateway in context.objects.all(GATEWAY) {
            if serves(attachment, gateway) {
                clusters(context.objects, attachment, gateway, found);
            }
        }
    }
}

/// What is wrong with a module's address: neither its digest nor a tag of its own.
pub(super) fn unpinned(url: &str, has_digest: bool) -> Option<String> {
    if has_digest || url.is_empty() || url.contains("@sha256:") || url.starts_with("file:") {
        return None;
    }
    let tag = url.rsplit('/').next().and_then(|it| it.split_once(':'));
    let problem = match tag {
        Some((_, "latest")) | None => "has neither a digest nor a tag of a release",
        Some(_) => "has no digest",
    };
    Some(format!("{url} {problem}"))
}

fn clusters(objects: &Objects, attachment: &Attachment<'_>, gateway: &Object, found: &mut Found) {
    for part in PARTS {
        let Some(cluster) = attachment.cluster(part) else {
            continue;
        };
        let (is_made, fix) = if let Some(route) = route_of(cluster) {
            let (resource, namespace, route) = route;
            let is_there = objects.get(resource, namespace, route).is_some();
            let is_missing = !is_there && objects.has_all(resource, namespace);
            let fix = format!("make the {} {namespace}/{route}", resource.kind);
            (!is_missing, fix)
        } else {
            let is_made =
                is_patched(objects, gateway, cluster) || is_in_bootstrap(objects, gateway, cluster);
            let fix = "add it by an EnvoyPatchPolicy for the Gateway, or by `bootstrap` of its \
                           EnvoyProxy";
            (is_made, fix.to_owned())
        };
        if !is_made {
            let facts = [
                ("cluster", cluster),
                ("gateway", &*name(gateway)),
                ("part", &*part.replace('_', " ")),
                ("fix", &*fix),
            ];
            let field = attachment.at(&format!("config.{part}.cluster"));
            found.say(&attachment.object.id, NO_CLUSTER.at(field, &facts));
        }
    }
}

/// The route after which Envoy Gateway calls a cluster: `httproute/<namespace>/<name>/rule/<number>`.
fn route_of(cluster: &str) -> Option<(crate::source::Resource, &str, &str)> {
    let mut parts = cluster.split('/');
    let resource = match parts.next()? {
        "httproute" => HTTP_ROUTE,
        "grpcroute" => GRPC_ROUTE,
        _ => return None,
    };
    let (namespace, name) = (parts.next()?, parts.next()?);
    (parts.next() == Some("rule")).then_some((resource, namespace, name))
}

/// Where Envoys of several Gateways are one, the policy is for their class.
fn is_patched(objects: &Objects, gateway: &Object, cluster: &str) -> bool {
    let is_for = |policy: &Object| {
        let class = policy.text("/spec/targetRef/kind") == Some("GatewayClass")
            && policy.text("/spec/targetRef/name") == gateway.text("/spec/gatewayClassName");
        class || !sections(policy, gateway).is_empty()
    };
    let mut policies = objects.all(PATCH_POLICY).iter().filter(|it| is_for(it));
    policies.any(|policy| {
        let mut patches = policy.list("/spec/jsonPatches").iter();
        patches.any(|it| {
            text_at(it, "/name") == Some(cluster)
                || text_at(it, "/operation/value/name") == Some(cluster)
        })
    })
}

fn is_in_bootstrap(objects: &Objects, gateway: &Object, cluster: &str) -> bool {
    envoy_proxies(objects, gateway)
        .iter()
        .filter_map(|it| it.at("/spec/bootstrap"))
        .any(|bootstrap| bootstrap.to_string().contains(cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_pinned_by_its_digest_or_is_a_file() {
        assert!(unpinned("oci://registry.test:5000/filter@sha256:00", false).is_none());
        assert!(unpinned("oci://registry.test:5000/filter:latest", true).is_none());
        assert!(unpinned("file:///etc/filter.wasm", false).is_none());
        let said = |url| unpinned(url, false).unwrap();
        assert!(said("oci://registry.test:5000/filter").ends_with("of a release"));
        assert!(said("registry.test:5000/filter:v1").ends_with("no digest"));
        assert!(
            said("http://wakegate-control-plane.wakegate:18002/wakegate_filter.wasm")
                .contains("neither")
        );
    }

    #[test]
    fn clusters_are_called_after_routes() {
        let found = route_of("grpcroute/wakegate/scaler/rule/0").unwrap();
        assert_eq!(found, (GRPC_ROUTE, "wakegate", "scaler"));
        assert!(route_of("wakegate-scaler").is_none());
        assert!(route_of("envoyextensionpolicy/a/b/extproc/0").is_none());
    }
}
