//! What leads requests to a Service, and what says how it scales.

use serde_json::{Value, json};

use super::Object;
use super::app::SERVICE_PORT;

const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// The class of every Gateway of the tests; the cluster has it once.
const CLASS: &str = "envoy";

/// The class of Gateways that the tests use. Nobody controls it: a test's Envoy has its routes by file.
pub fn gateway_class() -> Object {
    let spec = json!({ "controllerName": "wakegate.dev/e2e" });
    Object::new(&format!("{GATEWAY_API}/v1"), "GatewayClass", CLASS, spec)
}

/// A Gateway with one listener for every host.
pub fn gateway(name: &str) -> Object {
    let spec = json!({
        "gatewayClassName": CLASS,
        "listeners": [ { "name": "http", "port": 80, "protocol": "HTTP" } ],
    });
    Object::new(&format!("{GATEWAY_API}/v1"), "Gateway", name, spec)
}

/// An `HTTPRoute` for one host, all of whose requests go to one Service.
pub fn http_route(name: &str, gateway: &str, host: &str, service: &str) -> Object {
    route("HTTPRoute", name, gateway, host, service)
}

/// A `GRPCRoute` for one host, all of whose calls go to one Service.
pub fn grpc_route(name: &str, gateway: &str, host: &str, service: &str) -> Object {
    route("GRPCRoute", name, gateway, host, service)
}

/// An Ingress for one host, all of whose requests go to one Service.
pub fn ingress(name: &str, host: &str, service: &str) -> Object {
    let backend = json!({ "service": { "name": service, "port": { "number": SERVICE_PORT } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let spec = json!({
        "ingressClassName": CLASS,
        "rules": [ { "host": host, "http": { "paths": [path] } } ],
    });
    Object::new("networking.k8s.io/v1", "Ingress", name, spec)
}

/// Lets routes of another namespace lead to the Services of this one.
pub fn reference_grant(name: &str, from_kind: &str, from_namespace: &str) -> Object {
    let spec = json!({
        "from": [ { "group": GATEWAY_API, "kind": from_kind, "namespace": from_namespace } ],
        "to": [ { "group": "", "kind": "Service" } ],
    });
    let version = format!("{GATEWAY_API}/v1beta1");
    Object::new(&version, "ReferenceGrant", name, spec)
}

/// A `WakePolicy` for one object; `spec` is the rest of its spec.
pub fn wake_policy(name: &str, target: (&str, &str), mut spec: Value) -> Object {
    let (kind, target) = target;
    let group = match kind {
        "Service" => "",
        "Ingress" => "networking.k8s.io",
        _ => GATEWAY_API,
    };
    let targets = json!([ { "group": group, "kind": kind, "name": target } ]);
    if let Some(fields) = spec.as_object_mut() {
        fields.insert("targetRefs".to_owned(), targets);
    }
    Object::new("wakegate.dev/v1alpha1", "WakePolicy", name, spec)
}

fn route(kind: &str, name: &str, gateway: &str, host: &str, service: &str) -> Object {
    let spec = json!({
        "parentRefs": [ { "name": gateway } ],
        "hostnames": [host],
        "rules": [ { "backendRefs": [ { "name": service, "port": SERVICE_PORT } ] } ],
    });
    Object::new(&format!("{GATEWAY_API}/v1"), kind, name, spec)
}
