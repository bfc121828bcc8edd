//! Whether an attachment is anywhere, and what Istio does with it and to requests that are held.

use super::{Context, Found, modules::unpinned};
use crate::doctor::{
    attachment::{Attachment, By},
    objects::{DEPLOYMENT, GATEWAY, Object, Objects, text_at},
    rules::istio::{BEFORE_AUTHENTICATION, BEFORE_AUTHORIZATION, FAIL_CLOSE, PLUGIN_UNPINNED},
    rules::routes::NO_GATEWAY,
};

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for attachment in &context.attachments {
        if let Some(target) = missing_target(context.objects, attachment) {
            let finding = NO_GATEWAY.at("spec", &[("target", &target)]);
            found.say(&attachment.object.id, finding);
        }
        match attachment.by {
            By::ExtensionPolicy => {}
            By::WasmPlugin => plugin(attachment, found),
            By::EnvoyFilter => filter(attachment, found),
        }
    }
}

fn plugin(attachment: &Attachment<'_>, found: &mut Found) {
    let plugin = attachment.object;
    match plugin.text("/spec/phase") {
        Some("AUTHN") => {
            let facts = [
                ("value", "AUTHN"),
                (
                    "fix",
                    "leave `phase` out: the filter is then next to the router",
                ),
            ];
            found.say(&plugin.id, BEFORE_AUTHENTICATION.at("spec.phase", &facts));
        }
        Some("AUTHZ") => found.say(&plugin.id, BEFORE_AUTHORIZATION.at("spec.phase", &[])),
        _ => {}
    }
    let strategy = plugin.text("/spec/failStrategy").unwrap_or("FAIL_CLOSE");
    if strategy == "FAIL_CLOSE" {
        let finding = FAIL_CLOSE.at("spec.failStrategy", &[("value", strategy)]);
        found.say(&plugin.id, finding);
    }
    let url = plugin.text("/spec/url").unwrap_or_default();
    let has_digest = plugin.text("/spec/sha256").is_some_and(|it| !it.is_empty());
    if let Some(problem) = unpinned(url, has_digest) {
        let finding = PLUGIN_UNPINNED.at("spec.url", &[("problem", &problem)]);
        found.say(&plugin.id, finding);
    }
}

fn filter(attachment: &Attachment<'_>, found: &mut Found) {
    let patch = attachment.value;
    let operation = text_at(patch, "/patch/operation").unwrap_or_default();
    let before = "/match/listener/filterChain/filter/subFilter/name";
    let before = text_at(patch, before).unwrap_or_default();
    let is_first = operation == "INSERT_FIRST";
    let is_before_other = operation == "INSERT_BEFORE" && before != "envoy.filters.http.router";
    if is_first || is_before_other {
        let value = match before {
            "" => operation.to_owned(),
            before if is_first => format!("{operation}, beside {before},"),
            before => format!("{operation} {before}"),
        };
        let facts = [
            ("value", &*value),
            (
                "fix",
                "use INSERT_BEFORE with the subFilter envoy.filters.http.router",
            ),
        ];
        let field = attachment.at("patch.operation");
        found.say(
            &attachment.object.id,
            BEFORE_AUTHENTICATION.at(field, &facts),
        );
    }
}

/// What an attachment names and is not there.
fn missing_target(objects: &Objects, attachment: &Attachment<'_>) -> Option<String> {
    let namespace = &attachment.object.id.namespace;
    for target in attachment.target_refs() {
        let (kind, name) = (text_at(target, "/kind")?, text_at(target, "/name")?);
        let is_missing = kind == GATEWAY.kind
            && objects.has_all(GATEWAY, namespace)
            && objects.get(GATEWAY, namespace, name).is_none();
        if is_missing {
            return Some(format!("Gateway {namespace}/{name}"));
        }
    }
    let labels = attachment.selector()?;
    let is_missing = objects.is_whole()
        && objects.has_all(DEPLOYMENT, namespace)
        && workloads(objects, attachment).is_empty();
    is_missing.then(|| {
        let labels: Vec<_> = labels
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        format!("a Deployment whose pods have {}", labels.join(", "))
    })
}

/// The Deployments whose pods an attachment is for, by their labels.
pub(super) fn workloads<'a>(objects: &'a Objects, attachment: &Attachment<'_>) -> Vec<&'a Object> {
    let namespace = &attachment.object.id.namespace;
    let labels = attachment.selector();
    let targets = attachment.target_refs();
    let is_for = |deployment: &&Object| {
        let pod = |key: &str| {
            deployment
                .at("/spec/template/metadata/labels")?
                .get(key)?
                .as_str()
        };
        let by_labels = labels.is_some_and(|labels| {
            let mut labels = labels.iter();
            labels.all(|(key, value)| pod(key) == value.as_str())
        });
        let of_gateway = pod("gateway.networking.k8s.io/gateway-name");
        let mut names = targets.iter().filter_map(|it| text_at(it, "/name"));
        by_labels || of_gateway.is_some_and(|name| names.any(|it| it == name))
    };
    let is_near = |it: &&Object| it.id.namespace == *namespace || namespace == "istio-system";
    let all = objects.all(DEPLOYMENT).iter();
    all.filter(is_near).filter(is_for).collect()
}
