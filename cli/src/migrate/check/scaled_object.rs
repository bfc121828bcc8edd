//! ScaledObjects with a trigger of the add-on's.

use wakegate_api::http_add_on::{
    HTTP_SCALED_OBJECT_KEY, INTERCEPTOR_ROUTE_KEY, INTERCEPTOR_TARGET_KEY,
};

use super::{Context, Found, add_on};
use crate::migrate::{
    objects::{Kind, ScaledObject, Trigger},
    rules::{
        Finding,
        scaling::{
            FALLBACK_ZERO, NO_OBJECT, OF_INTERCEPTOR, POLLED, SCALER_ADDRESS, TAKEN_OVER,
            TRIGGER_TLS,
        },
    },
};

/// What KEDA has for TLS in a trigger's metadata.
const TLS: [&str; 4] = ["caCert", "tlsClientCert", "tlsClientKey", "unsafeSsl"];

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
    if !is_same(address, context.scaler) {
        let facts = [("address", address), ("scaler", context.scaler)];
        findings.push(SCALER_ADDRESS.at(format!("{field}.metadata.scalerAddress"), &facts));
    }
    for key in TLS.iter().filter(|key| trigger.says(key).is_some()) {
        findings.push(TRIGGER_TLS.at(format!("{field}.metadata.{key}"), &[]));
    }
    if trigger.authentication.is_some() {
        findings.push(TRIGGER_TLS.at(format!("{field}.authenticationRef"), &[]));
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

/// Whether two addresses are one Service and port, with the cluster's domain or without.
fn is_same(one: &str, other: &str) -> bool {
    let parts = |address: &str| {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_end_matches('.');
        let service = host.split_once(".svc").map_or(host, |(service, _)| service);
        Some((service.to_owned(), port.to_owned()))
    };
    one == other || parts(one).is_some_and(|it| Some(it) == parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_known_by_what_it_names() {
        let is = |r#type: &str, key: &str, value: &str| {
            is_of_add_on(&Trigger {
                r#type: r#type.to_owned(),
                metadata: [(key.to_owned(), value.into())].into(),
                ..Trigger::default()
            })
        };
        let address = "keda-add-ons-http-external-scaler.keda:9090";
        assert!(is("external-push", "scalerAddress", address));
        assert!(is("external", "interceptorRoute", "web"));
        assert!(!is("external-push", "scalerAddress", "mine.keda:9090"));
        assert!(!is("cron", "interceptorRoute", "web"));
    }

    #[test]
    fn an_address_is_the_same_with_the_domain_of_the_cluster() {
        let short = "wakegate-scaler.wakegate:9090";
        assert!(is_same("wakegate-scaler.wakegate.svc:9090", short));
        assert!(is_same(
            "wakegate-scaler.wakegate.svc.cluster.local:9090",
            short
        ));
        assert!(!is_same("wakegate-scaler.other:9090", short));
        assert!(!is_same("wakegate-scaler.wakegate:9091", short));
        assert!(!is_same("nothing", short));
    }
}
