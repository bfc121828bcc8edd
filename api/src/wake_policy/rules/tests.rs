use serde_json::{Value, json};

use super::*;
use crate::annotations::{Overflow, ScaleTarget};

fn parse(spec: Value) -> Result<Rules, String> {
    let spec: WakePolicySpec = serde_json::from_value(spec).unwrap();
    Rules::parse(&spec).map_err(|error| format!("{}: {error}", error.field))
}

/// With a Service as its target, and more.
fn of_service(more: &Value) -> Result<Rules, String> {
    let mut spec = json!({"targetRefs": [{"kind": "Service", "name": "web"}]});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    parse(spec)
}

#[test]
fn what_annotations_could_say_is_said_in_their_terms() {
    let rules = of_service(&json!({
        "hold": {"timeout": "90s", "maxHeld": 5, "overflowStatus": 429, "waitingPage": true},
        "thaw": {"maxInFlightPerEndpoint": 8, "probe": false},
        "scale": {
            "minReplicas": 1, "maxReplicas": 9, "cooldown": "2m", "initialCooldown": "3m",
            "targetConcurrency": 0.5, "targetRate": 7, "rateWindow": "30s", "paused": true,
            "scaledObject": "External",
            "target": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"},
        },
    }));
    let rules = rules.unwrap();
    let minute = std::time::Duration::from_mins(1);
    let expected = Settings {
        scale_to_zero: Some(true),
        hold_timeout: Some(minute * 3 / 2),
        max_held: Some(5),
        overflow: Some(Overflow::TooManyRequests),
        min_replicas: Some(1),
        max_replicas: Some(9),
        cooldown: Some(minute * 2),
        initial_cooldown: Some(minute * 3),
        target_concurrency: Some(0.5),
        target_rate: Some(7.0),
        rate_window: Some(minute / 2),
        paused: Some(true),
        scaled_object: Some(crate::wake_policy::ScaledObjectBy::External),
        scale_target: Some(ScaleTarget {
            api_version: Some("argoproj.io/v1alpha1".to_owned()),
            kind: "Rollout".to_owned(),
            name: "web".to_owned(),
        }),
        no_wake_paths: None,
    };
    assert_eq!(rules.settings, expected);
    assert_eq!(rules.waiting_page, Some(true));
    let thaw = ThawRules {
        max_in_flight_per_endpoint: NonZeroU32::new(8),
        probe: Some(false),
    };
    assert_eq!(rules.thaw, thaw);
}

#[test]
fn requests_that_wake_nothing_are_recognised_in_four_ways() {
    let rules = of_service(&json!({"noWake": [
        {"pathPrefix": "/healthz"},
        {"userAgentPrefix": "Pingdom", "status": 204},
        {"method": "OPTIONS"},
        {"header": {"name": "X-Check", "value": "yes"}},
        {"header": {"name": "X-Any"}},
    ]}));
    let rules = rules.unwrap();
    let header = |name: &str, value: Option<&str>| NoWakeRequest::Header {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    let no_wake: Vec<_> = rules
        .no_wake
        .into_iter()
        .map(|rule| (rule.what, rule.status))
        .collect();
    let expected = [
        (NoWakeRequest::PathPrefix("/healthz".to_owned()), 200),
        (NoWakeRequest::UserAgentPrefix("Pingdom".to_owned()), 204),
        (NoWakeRequest::Method("OPTIONS".to_owned()), 200),
        (header("x-check", Some("yes")), 200),
        (header("x-any", None), 200),
    ];
    assert_eq!(no_wake, expected);
}

#[test]
fn what_is_not_said_is_left_to_the_annotations() {
    let expected = Settings {
        scale_to_zero: Some(true),
        ..Settings::default()
    };
    assert_eq!(of_service(&json!({})).unwrap().settings, expected);
}

#[test]
fn a_wrong_field_is_named_with_what_it_should_be() {
    let of = |field: &str, more: Value| {
        let refused = of_service(&more).expect_err(field);
        assert!(refused.starts_with(&format!("{field}: ")), "{refused}");
    };
    of("spec.hold.timeout", json!({"hold": {"timeout": "soon"}}));
    of("spec.hold.timeout", json!({"hold": {"timeout": "2h"}}));
    of("spec.hold.maxHeld", json!({"hold": {"maxHeld": 0}}));
    let overflow = json!({"hold": {"overflowStatus": 500}});
    of("spec.hold.overflowStatus", overflow);
    of("spec.noWake[0]", json!({"noWake": [{}]}));
    let two = json!({"noWake": [{"method": "GET", "pathPrefix": "/"}]});
    of("spec.noWake[0]", two);
    let path = json!({"noWake": [{"pathPrefix": "healthz"}]});
    of("spec.noWake[0].pathPrefix", path);
    let agent = json!({"noWake": [{"userAgentPrefix": ""}]});
    of("spec.noWake[0].userAgentPrefix", agent);
    let method = json!({"noWake": [{"method": "get"}]});
    of("spec.noWake[0].method", method);
    let header = json!({"noWake": [{"header": {"name": "a b"}}]});
    of("spec.noWake[0].header.name", header);
    let status = json!({"noWake": [{"method": "GET", "status": 100}]});
    of("spec.noWake[0].status", status);
    let many = json!({"noWake": vec![json!({"method": "GET"}); 17]});
    of("spec.noWake", many);
    let thaw = json!({"thaw": {"maxInFlightPerEndpoint": 0}});
    of("spec.thaw.maxInFlightPerEndpoint", thaw);
    let below = json!({"scale": {"minReplicas": 2, "maxReplicas": 1}});
    of("spec.scale.maxReplicas", below);
    of("spec.scale.cooldown", json!({"scale": {"cooldown": "25h"}}));
    of("spec.scale.targetRate", json!({"scale": {"targetRate": 0}}));
    let target = json!({"scale": {"target": {"kind": "deployment", "name": "web"}}});
    of("spec.scale.target", target);
}

#[test]
fn targets_are_of_four_kinds_and_each_once() {
    let of = |targets: Value, scale: Value| parse(json!({"targetRefs": targets, "scale": scale}));
    let service = json!({"kind": "Service", "name": "web"});
    let port = json!({"kind": "Service", "name": "web", "sectionName": "http"});
    let gateway = "gateway.networking.k8s.io";
    let route = json!({"group": gateway, "kind": "HTTPRoute", "name": "web"});
    let ingress = json!({"group": "networking.k8s.io", "kind": "Ingress", "name": "web"});
    let all = json!([service, port, route, ingress]);
    assert_eq!(of(all, Value::Null).unwrap().targets.len(), 4);
    assert!(of(json!([service]), json!({})).is_ok());

    let refused = |targets: Value, scale: Value, field: &str| {
        let error = of(targets, scale).expect_err(field);
        assert!(error.starts_with(&format!("{field}: ")), "{error}");
    };
    refused(json!([]), Value::Null, "spec.targetRefs");
    let many: Vec<Value> = (0..17)
        .map(|n| json!({"kind": "Service", "name": n.to_string()}))
        .collect();
    refused(json!(many), Value::Null, "spec.targetRefs");
    let twice = json!([service, service]);
    refused(twice, Value::Null, "spec.targetRefs[1]");
    let ungrouped = json!([{"kind": "HTTPRoute", "name": "web"}]);
    refused(ungrouped, Value::Null, "spec.targetRefs[0].kind");
    let nameless = json!([{"kind": "Service", "name": ""}]);
    refused(nameless, Value::Null, "spec.targetRefs[0].name");
    let mut section = ingress;
    section["sectionName"] = "http".into();
    refused(
        json!([section]),
        Value::Null,
        "spec.targetRefs[0].sectionName",
    );
    refused(json!([service, route]), json!({}), "spec.targetRefs[1]");
    refused(json!([port]), json!({}), "spec.targetRefs[0]");
}
