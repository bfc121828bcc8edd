//! ScaledObjects with a trigger of the add-on's.

use wakegate_api::http_add_on::{
    HTTP_SCALED_OBJECT_KEY, INTERCEPTOR_ROUTE_KEY, INTERCEPTOR_TARGET_KEY,
};

use super::{Context, Found, add_on};
use crate::migrate::{
    objects::{Kind, ScaledObject, Trigger},
    rules::{
        Finding,
        scaling::{FALLBACK_ZERO, NO_OBJECT, OF_INTERCEPTOR, POLLED, SCALER_ADDRESS, TAKEN_OVER},
    },
};

/// Whether a trigger is for the add-on's scaler, or for Wakegate's with the words of the add-on.
fn is_of_add_on(trigger: &Trigger) -> bool {
    let keys = [
        INTERCEPTOR_ROUTE_KEY,
        HTTP_SCALED_OBJECT_KEY,
        INTERCEPTOR_TARGET_KEY,
    ];
    matches!(trigger.r#type.as_str(), "external" | "external-push")
        && (keys.iter().any(|key| trigger.says(key).is_some()) || names_scaler(trigger))
}

/// Whether a workload scales by requests that the add-on, or Wakegate in its place, knows of.
pub(in crate::migrate) fn is_for_add_on(object: &ScaledObject) -> bool {
    let is_own = |it: &Trigger| is_of_add_on(it) && it.says(INTERCEPTOR_TARGET_KEY).is_none();
    object.triggers.iter().any(is_own)
}

/// The add-on's Service, whatever its installation puts before the name.
fn names_scaler(trigger: &Trigger) -> bool {
    let address = trigger.says("scalerAddress").unwrap_or_default();
    let host = address.split([':', '.']).next().unwrap_or_default();
    host.ends_with("-external-scaler")
}

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for object in &context.objects.scaled {
        if object.triggers.iter().any(is_of_add_on) {
            let findings = of(context, object);
            found.entry(object.id.clone()).or_default().extend(findings);
        }
    }
}

/// The triggers of one that a user wrote.
pub(super) fn fields(object: &ScaledObject) -> Vec<String> {
    let triggers = object.triggers.iter().enumerate();
    let is_users = object.controller().is_none();
    let triggers = triggers.filter(|(_, it)| {
        is_users && is_of_add_on(it) && it.says(INTERCEPTOR_TARGET_KEY).is_none()
    });
    triggers
        .map(|(at, _)| format!("spec.triggers[{at}]"))
        .collect()
}

fn of(context: &Context<'_>, object: &ScaledObject) -> Vec<Finding> {
    let namespace = &object.id.namespace;
    if let Some(name) = object.controller() {
        let kind = Kind::HttpScaledObject;
        let owner = context.objects.add_on(kind, namespace, name);
        // One that is not among what was read is taken at its word.
        if owner.is_none_or(add_on::is_written_for) {
            let owner = format!("{kind} {namespace}/{name}");
            return vec![TAKEN_OVER.at("", &[("owner", &owner)])];
        }
    }
    let mut findings = Vec::new();
    for (at, trigger) in object.triggers.iter().enumerate() {
        if !is_of_add_on(trigger) {
            continue;
        }
        if trigger.says(INTERCEPTOR_TARGET_KEY).is_some() {
            return vec![OF_INTERCEPTOR.at("", &[])];
        }
        let field = format!("spec.triggers[{at}]");
        findings.extend(of_trigger(context, object, &field, trigger));
    }
    if object.fallback_replicas == Some(0) {
        findings.push(FALLBACK_ZERO.at("spec.fallback.replicas", &[]));
    }
    findings
}

fn of_trigger(
    context: &Context<'_>,
    object: &ScaledObject,
    field: &str,
    trigger: &Trigger,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let address = trigger.says("scalerAddress").unwrap_or("nothing");
    if address != context.scaler {
        let facts = [("address", address), ("scaler", context.scaler)];
        findings.push(SCALER_ADDRESS.at(format!("{field}.metadata.scalerAddress"), &facts));
    }
    if trigger.r#type == "external" {
        let interval = object.polling_secs.to_string();
        findings.push(POLLED.at(format!("{field}.type"), &[("interval", &interval)]));
    }
    // The first of the two that is there is the one that counts.
    let kinds = [
        (INTERCEPTOR_ROUTE_KEY, Kind::InterceptorRoute),
        (HTTP_SCALED_OBJECT_KEY, Kind::HttpScaledObject),
    ];
    let mut named = kinds
        .into_iter()
        .filter_map(|(key, kind)| Some((key, kind, trigger.says(key)?)));
    if let Some((key, kind, name)) = named.next() {
        let namespace = &object.id.namespace;
        let objects = context.objects;
        if !objects.has(kind, namespace, name) && objects.has_all(kind, namespace) {
            let facts = [("kind", kind.as_str()), ("name", name)];
            findings.push(NO_OBJECT.at(format!("{field}.metadata.{key}"), &facts));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_known_by_what_it_names() {
        let is = |r#type: &str, key: &str, value: &str| {
            is_of_add_on(&Trigger {
                r#type: r#type.to_owned(),
                metadata: [(key.to_owned(), value.to_owned())].into(),
            })
        };
        let address = "keda-add-ons-http-external-scaler.keda:9090";
        assert!(is("external-push", "scalerAddress", address));
        assert!(is("external", "interceptorRoute", "web"));
        assert!(!is("external-push", "scalerAddress", "mine.keda:9090"));
        assert!(!is("cron", "interceptorRoute", "web"));
    }
}
