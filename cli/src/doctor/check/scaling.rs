//! Whether what wakes and what scales belong together.

use super::{Context, Found};
use crate::doctor::{
    objects::{
        AUTOSCALER, CLUSTER_TRIGGER_AUTHENTICATION, Object, Objects, SCALED_OBJECT, SECRET,
        TRIGGER_AUTHENTICATION, list_at, text_at,
    },
    part::KEDA,
    rules::scaling::{NO_AUTHENTICATION, NO_SECRET, NOT_READY, TWO_SCALERS},
};

/// The parts of metadata by which a trigger names what the scaler counts.
const NAMED_BY: [&str; 8] = [
    "workload",
    "service",
    "httpRoute",
    "grpcRoute",
    "ingress",
    "virtualService",
    "interceptorRoute",
    "httpScaledObject",
];

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for object in context.objects.all(SCALED_OBJECT) {
        if !is_ours(object) {
            continue;
        }
        if let Some(("False", message)) = object.condition("Ready") {
            let finding = NOT_READY.at("status.conditions", &[("message", message)]);
            found.say(&object.id, finding);
        }
        others(context.objects, object, found);
        authentication(context.objects, object, found);
    }
}

/// Whether it asks Wakegate's scaler, whoever wrote it.
fn is_ours(object: &Object) -> bool {
    let mut triggers = object.list("/spec/triggers").iter();
    let by_trigger = |trigger| {
        let address = text_at(trigger, "/metadata/scalerAddress").unwrap_or_default();
        let mut names = NAMED_BY.iter();
        text_at(trigger, "/type") == Some("external-push")
            && names.any(|name| trigger.pointer(&format!("/metadata/{name}")).is_some())
            && !address.contains("keda-add-ons-http")
    };
    object.label("app.kubernetes.io/managed-by") == Some("wakegate") || triggers.any(by_trigger)
}

/// What is scaled: its kind and its name.
fn workload<'a>(object: &'a Object, target: &str) -> Option<(&'a str, &'a str)> {
    let target = object.at(target)?;
    let kind = text_at(target, "/kind").unwrap_or("Deployment");
    Some((kind, text_at(target, "/name")?))
}

fn others(objects: &Objects, object: &Object, found: &mut Found) {
    let Some(ours) = workload(object, "/spec/scaleTargetRef") else {
        return;
    };
    let by_keda = |it: &&Object| {
        let mut owners = it.list("/metadata/ownerReferences").iter();
        owners.any(|owner| text_at(owner, "/kind") == Some(SCALED_OBJECT.kind))
    };
    let scaled = objects.all(SCALED_OBJECT).iter();
    let scaled = scaled.filter(|it| it.id != object.id);
    let autoscalers = objects.all(AUTOSCALER).iter().filter(|it| !by_keda(it));
    for other in scaled.chain(autoscalers) {
        let is_same = other.id.namespace == object.id.namespace
            && workload(other, "/spec/scaleTargetRef") == Some(ours);
        if is_same {
            let fix = format!(
                "remove {}, or write its triggers into one ScaledObject and say \
                 `wakegate.dev/scaled-object: external` on the route",
                other.id
            );
            let facts = [
                ("other", &*other.id.to_string()),
                ("workload", &*format!("{} {}", ours.0, ours.1)),
                ("fix", &*fix),
            ];
            let finding = TWO_SCALERS.at("spec.scaleTargetRef", &facts);
            found.say(&object.id, finding);
        }
    }
}

fn authentication(objects: &Objects, object: &Object, found: &mut Found) {
    for (at, trigger) in object.list("/spec/triggers").iter().enumerate() {
        let Some(name) = text_at(trigger, "/authenticationRef/name") else {
            continue;
        };
        let is_cluster = text_at(trigger, "/authenticationRef/kind")
            == Some(CLUSTER_TRIGGER_AUTHENTICATION.kind);
        let (resource, namespace) = if is_cluster {
            (CLUSTER_TRIGGER_AUTHENTICATION, "")
        } else {
            (TRIGGER_AUTHENTICATION, object.id.namespace.as_str())
        };
        match objects.get(resource, namespace, name) {
            Some(authentication) => secrets(objects, authentication, found),
            None if objects.has_all(resource, namespace) => {
                let what = format!("{} {name}", resource.kind);
                let field = format!("spec.triggers[{at}].authenticationRef");
                let finding = NO_AUTHENTICATION.at(field, &[("what", &what)]);
                found.say(&object.id, finding);
            }
            None => {}
        }
    }
}

/// Only the names of Secrets are looked at.
fn secrets(objects: &Objects, authentication: &Object, found: &mut Found) {
    let namespace = match authentication.id.namespace.as_str() {
        "" => KEDA,
        namespace => namespace,
    };
    // KEDA may be elsewhere: then nothing of it is known here.
    let is_known = objects.has_all(SECRET, namespace)
        && objects
            .all(SECRET)
            .iter()
            .any(|it| it.id.namespace == namespace);
    for (at, target) in list_at(&authentication.value, "/spec/secretTargetRef")
        .iter()
        .enumerate()
    {
        let Some(name) = text_at(target, "/name") else {
            continue;
        };
        if is_known && objects.get(SECRET, namespace, name).is_none() {
            let secret = format!("{namespace}/{name}");
            let field = format!("spec.secretTargetRef[{at}]");
            let finding = NO_SECRET.at(field, &[("secret", &secret)]);
            found.say(&authentication.id, finding);
        }
    }
}
