//! The sample app as a workload, and its Service.

use serde_json::{Value, json};

use super::Object;

/// The port of every Service, unless a test says otherwise.
pub const SERVICE_PORT: u16 = 80;
/// Where the app listens.
pub const APP_PORT: u16 = 8080;

/// A Deployment of the sample app, at zero replicas, with flags of the app.
pub fn deployment(name: &str, args: &[&str]) -> Object {
    let spec = json!({
        "replicas": 0,
        "selector": { "matchLabels": { "app": name } },
        "template": template(name, args),
    });
    Object::new("apps/v1", "Deployment", name, spec)
}

/// A `StatefulSet` of the sample app, at zero replicas, with flags of the app. Its Service has its name.
pub fn stateful_set(name: &str, args: &[&str]) -> Object {
    let spec = json!({
        "replicas": 0,
        "serviceName": name,
        "selector": { "matchLabels": { "app": name } },
        "template": template(name, args),
    });
    Object::new("apps/v1", "StatefulSet", name, spec)
}

/// A Service with one port for the pods of the workload of that name.
pub fn service(name: &str) -> Object {
    let spec = json!({
        "selector": { "app": name },
        "ports": [ { "name": "http", "port": SERVICE_PORT, "targetPort": "http" } ],
    });
    Object::new("v1", "Service", name, spec)
}

fn template(name: &str, args: &[&str]) -> Value {
    let container = json!({
        "name": "app",
        "image": "wakegate/sample-app",
        "args": args,
        "ports": [ { "name": "http", "containerPort": APP_PORT } ],
        "readinessProbe": {
            "httpGet": { "path": "/ready", "port": "http" },
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
    });
    json!({
        "metadata": { "labels": { "app": name } },
        "spec": { "containers": [container], "terminationGracePeriodSeconds": 5 },
    })
}
