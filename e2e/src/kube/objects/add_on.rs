//! What users of the KEDA HTTP add-on have written.

use serde_json::{Value, json};

use super::Object;
use super::app::SERVICE_PORT;

/// An `InterceptorRoute` for the requests of one host to one Service, whose workload scales by what is under way.
pub fn interceptor_route(name: &str, host: &str, service: &str) -> Object {
    let spec = json!({
        "target": { "service": service, "port": SERVICE_PORT },
        "rules": [ { "hosts": [host] } ],
        "scalingMetric": { "concurrency": { "targetValue": 100 } },
    });
    Object::new("http.keda.sh/v1beta1", "InterceptorRoute", name, spec)
}

/// An `HTTPScaledObject` for the requests of one host to one Service, and the Deployment of the Service's name, which
/// may sleep at once.
pub fn http_scaled_object(name: &str, host: &str, service: &str) -> Object {
    let spec = json!({
        "hosts": [host],
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": service,
            "service": service,
            "port": SERVICE_PORT,
        },
        "scaledownPeriod": 1,
    });
    Object::new("http.keda.sh/v1alpha1", "HTTPScaledObject", name, spec)
}

/// A `ScaledObject` of a user's own, for a Deployment that may sleep at once; with the metadata of its one trigger. KEDA
/// shows what Wakegate has signed for it.
pub fn scaled_object(name: &str, deployment: &str, trigger: &[(&str, &str)]) -> Object {
    let metadata: Value = trigger.iter().map(|(key, value)| (*key, *value)).collect();
    let spec = json!({
        "scaleTargetRef": { "name": deployment },
        "pollingInterval": 1,
        "cooldownPeriod": 1,
        "triggers": [ {
            "type": "external-push",
            "metadata": metadata,
            "authenticationRef": { "kind": "ClusterTriggerAuthentication", "name": "wakegate" },
        } ],
    });
    Object::new("keda.sh/v1alpha1", "ScaledObject", name, spec)
}

/// A `ConfigMap` with bodies of answers.
pub fn config_map(name: &str, data: Value) -> Object {
    Object {
        body: "data",
        ..Object::new("v1", "ConfigMap", name, data)
    }
    .with("labels", json!({ "http.keda.sh/response-body": "true" }))
}
