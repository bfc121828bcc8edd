use kube::{CustomResourceExt, Resource};
use serde_json::{Value, json};

use super::*;

/// Each field once.
fn full() -> Value {
    let spec = json!({
        "targetRefs": [{ "group": "", "kind": "Service", "name": "shop", "sectionName": "http" }],
        "hold": { "timeout": "90s", "maxHeld": 10, "overflowStatus": 429, "waitingPage": true },
        "noWake": [{
            "pathPrefix": "/healthz",
            "userAgentPrefix": "probe/",
            "method": "HEAD",
            "header": { "name": "x-probe", "value": "1" },
            "status": 204,
        }],
        "thaw": { "maxInFlightPerEndpoint": 5, "probe": false },
        "scale": {
            "minReplicas": 1,
            "maxReplicas": 3,
            "cooldown": "5m",
            "initialCooldown": "10m",
            "targetConcurrency": 0.5,
            "targetRate": 20.0,
            "rateWindow": "30s",
            "paused": false,
            "scaledObject": "External",
            "target": { "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web" },
        },
    });
    let conditions = json!([{
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }]);
    let ancestor = json!({ "group": "", "kind": "Service", "namespace": "shop", "name": "shop", "sectionName": "http" });
    let status = json!({ "ancestors": [{
        "ancestorRef": ancestor,
        "controllerName": "wakegate.dev/control-plane",
        "conditions": conditions,
    }] });
    json!({ "spec": spec, "status": status })
}

fn schema() -> Value {
    let crd = serde_json::to_value(WakePolicy::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Each field of the schema with its path; the elements of a list are called `[]`.
fn fields(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        fields(field, &format!("{path}.{name}"), visit);
    }
    if let Some(items) = schema.get("items") {
        fields(items, &format!("{path}[]"), visit);
    }
}

fn paths_in(value: &Value, path: &str, paths: &mut Vec<String>) {
    paths.push(path.to_owned());
    for (name, field) in value.as_object().into_iter().flatten() {
        paths_in(field, &format!("{path}.{name}"), paths);
    }
    for element in value.as_array().into_iter().flatten() {
        paths_in(element, &format!("{path}[]"), paths);
    }
}

#[test]
fn the_schema_has_what_the_types_have_and_no_more() {
    let policy: WakePolicy = {
        let mut object = full();
        object["apiVersion"] = WakePolicy::api_version(&()).into();
        object["kind"] = WakePolicy::kind(&()).into();
        object["metadata"] = json!({});
        serde_json::from_value(object).unwrap()
    };
    let mut object = serde_json::to_value(&policy).unwrap();
    object
        .as_object_mut()
        .unwrap()
        .retain(|name, _| name == "spec" || name == "status");
    assert_eq!(object, full());

    let mut in_types = Vec::new();
    paths_in(&object, "", &mut in_types);
    let mut in_schema = Vec::new();
    fields(&schema(), "", &mut |path, _| {
        in_schema.push(path.to_owned());
    });
    in_types.sort();
    in_schema.sort();
    assert_eq!(in_schema, in_types);
}

/// A default of the schema would stand in each policy, and win over the annotation that says the same.
#[test]
fn nothing_has_a_default_that_an_annotation_can_say() {
    let mut with_default = Vec::new();
    fields(&schema(), "", &mut |path, field| {
        if field.get("default").is_some() && path.starts_with(".spec") {
            with_default.push(path.to_owned());
        }
    });
    let parts = [
        ".spec.noWake[].status",
        ".spec.scale.target.apiVersion",
        ".spec.targetRefs[].group",
    ];
    assert_eq!(with_default, parts);
}

/// Else the API server takes their rules for too dear, and refuses the CRD.
#[test]
fn strings_and_lists_have_bounds() {
    fields(&schema(), "", &mut |path, field| {
        let has = |keyword: &str| field.get(keyword).is_some();
        let is_bounded = match field["type"].as_str() {
            Some("string") => has("maxLength") || has("enum"),
            Some("array") => has("maxItems"),
            _ => true,
        };
        assert!(is_bounded || path.starts_with(".status"), "{path}");
    });
}

/// `has()` in a rule must mean that there is a value.
#[test]
fn nothing_in_a_spec_may_be_null() {
    fields(&schema(), "", &mut |path, field| {
        let is_nullable = field.get("nullable").is_some();
        assert!(!is_nullable || path == ".status", "{path}");
    });
}
