//! An object without what nobody here reads. What is left out cannot make a difference either: neither a
//! status that is written nor a version that it raises is a change.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use crate::object::Kind;

/// The domains whose annotations say something here; of Ingresses one more key does.
const DOMAINS: [&str; 2] = ["wakegate.dev", "keda.sh"];
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";

/// What is read of a `BackendTrafficPolicy`.
const ROUTING_POLICY: [&str; 5] = [
    "routingType",
    "mergeType",
    "targetRef",
    "targetRefs",
    "targetSelectors",
];

/// Where kubectl keeps a whole object: in a copy it would say what the copy is not.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is left of an object's metadata.
pub(super) fn metadata(kind: Kind, metadata: ObjectMeta) -> ObjectMeta {
    let ObjectMeta {
        name,
        namespace,
        uid,
        generation,
        creation_timestamp,
        deletion_timestamp,
        annotations,
        labels,
        owner_references,
        ..
    } = metadata;
    let is_read = |key: &str| {
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        let is_in = |ours: &&str| {
            let subdomain = domain.strip_suffix(*ours);
            subdomain.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        DOMAINS.iter().any(is_in) || (kind == Kind::Ingress && key == INGRESS_CLASS)
    };
    let annotations = annotations.map(|mut annotations| {
        // A ScaledObject has all those of its HTTPScaledObject.
        annotations.retain(|key, _| {
            if kind == Kind::HttpScaledObject {
                key != LAST_APPLIED
            } else {
                is_read(key)
            }
        });
        annotations
    });
    let is_generated = matches!(
        kind,
        Kind::EndpointSlice | Kind::Deployment | Kind::StatefulSet
    );
    ObjectMeta {
        name,
        namespace,
        uid,
        // A slice has a new one with each pod, and a workload with each scaling.
        generation: generation.filter(|_| !is_generated),
        creation_timestamp,
        deletion_timestamp,
        annotations: annotations.filter(|annotations| !annotations.is_empty()),
        labels: labels.filter(|_| has_labels(kind)),
        owner_references: owner_references.filter(|_| has_owners(kind)),
        ..ObjectMeta::default()
    }
}

/// What is left of everything else.
pub(super) fn content(kind: Kind, mut content: Value) -> Value {
    let Some(fields) = content.as_object_mut() else {
        return content;
    };
    // Its controller says there whether it takes the class.
    if kind != Kind::GatewayClass {
        fields.remove("status");
    }
    match kind {
        Kind::Deployment | Kind::StatefulSet => {
            let replicas = content.pointer_mut("/spec/replicas").map(Value::take);
            let labels = content.pointer_mut("/spec/template/metadata/labels");
            let labels = labels.map(Value::take);
            return serde_json::json!({
                "spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}}
            });
        }
        Kind::EndpointSlice => {
            keep(fields, &["addressType", "ports", "endpoints"]);
            let endpoints = fields.get_mut("endpoints").and_then(Value::as_array_mut);
            for endpoint in endpoints.into_iter().flatten() {
                if let Some(endpoint) = endpoint.as_object_mut() {
                    keep(endpoint, &["addresses", "conditions", "targetRef"]);
                }
            }
        }
        Kind::Service => keep_of_spec(
            fields,
            &[
                "ports",
                "selector",
                "type",
                "externalName",
                "ipFamilies",
                "clusterIP",
            ],
        ),
        Kind::HorizontalPodAutoscaler => keep_of_spec(fields, &["scaleTargetRef"]),
        Kind::Namespace => fields.clear(),
        Kind::ConfigMap => keep(fields, &["data"]),
        Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::Gateway
        | Kind::ListenerSet
        | Kind::GatewayClass
        | Kind::ReferenceGrant
        | Kind::Ingress
        | Kind::ScaledObject
        | Kind::WakePolicy
        | Kind::InterceptorRoute
        | Kind::HttpScaledObject => {}
        Kind::VirtualService => keep_of_spec(fields, &["hosts", "gateways", "http"]),
        Kind::EnvoyProxy => keep_of_spec(fields, &["routingType"]),
        Kind::BackendTrafficPolicy => keep_of_spec(fields, &ROUTING_POLICY),
    }
    content
}

fn has_labels(kind: Kind) -> bool {
    match kind {
        // The Service of a slice; what Gateways choose namespaces by; who wrote a ScaledObject; what it has from an
        // HTTPScaledObject; which data may be served.
        Kind::EndpointSlice
        | Kind::Namespace
        | Kind::ScaledObject
        | Kind::HttpScaledObject
        | Kind::ConfigMap => true,
        Kind::Service
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::Gateway
        | Kind::GatewayClass
        | Kind::ReferenceGrant
        | Kind::Ingress
        | Kind::Deployment
        | Kind::StatefulSet
        | Kind::HorizontalPodAutoscaler
        | Kind::WakePolicy
        | Kind::InterceptorRoute
        | Kind::EnvoyProxy
        | Kind::BackendTrafficPolicy
        | Kind::VirtualService
        | Kind::ListenerSet => false,
    }
}

/// KEDA makes an HPA for each ScaledObject, which it owns.
fn has_owners(kind: Kind) -> bool {
    matches!(kind, Kind::HorizontalPodAutoscaler | Kind::ScaledObject)
}

fn keep(fields: &mut Map<String, Value>, names: &[&str]) {
    fields.retain(|name, _| names.contains(&name.as_str()));
}

fn keep_of_spec(fields: &mut Map<String, Value>, names: &[&str]) {
    keep(fields, &["spec"]);
    if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
        keep(spec, names);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_or_a_status_is_no_difference() {
        let object = |version: &str, annotation: &str| {
            let metadata: ObjectMeta = serde_json::from_value(json!({
                "name": "web",
                "namespace": "shop",
                "uid": "1",
                "generation": 3,
                "resourceVersion": version,
                "labels": {"app": version},
                "managedFields": [{"manager": version}],
                "annotations": {
                    annotation: version,
                    "wakegate.dev/paused": "true",
                    "autoscaling.keda.sh/paused": "true",
                    "notkeda.sh/x": version,
                },
            }))
            .unwrap();
            super::metadata(Kind::HttpRoute, metadata)
        };
        let one = object("1", LAST_APPLIED);
        assert_eq!(one, object("2", INGRESS_CLASS));
        assert_eq!(one.generation, Some(3));
        let keys: Vec<String> = one.annotations.unwrap().into_keys().collect();
        assert_eq!(keys, ["autoscaling.keda.sh/paused", "wakegate.dev/paused"]);
        assert_eq!(
            content(
                Kind::HttpRoute,
                json!({"spec": {}, "status": {"parents": []}})
            ),
            json!({"spec": {}})
        );
    }

    #[test]
    fn of_a_workload_replicas_and_pod_labels_stay() {
        let whole = json!({
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
                    "spec": {"containers": [{"name": "web"}]},
                },
            },
            "status": {"readyReplicas": 1},
        });
        let left = json!({
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "web"}}}}
        });
        assert_eq!(content(Kind::Deployment, whole.clone()), left);
        assert_eq!(content(Kind::StatefulSet, whole), left);
    }

    #[test]
    fn of_a_slice_its_endpoints_stay() {
        let whole = json!({
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": true},
                "targetRef": {"name": "web-1"},
                "nodeName": "node-1",
                "zone": "a",
            }],
        });
        let left = content(Kind::EndpointSlice, whole);
        assert_eq!(left["ports"][0]["port"], 8080);
        let endpoint = left["endpoints"][0].as_object().unwrap();
        let keys: Vec<&String> = endpoint.keys().collect();
        assert_eq!(keys, ["addresses", "conditions", "targetRef"]);
    }
}
