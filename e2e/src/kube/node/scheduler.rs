//! Which pods fit the one node there is.

use ::kube::Client;
use ::kube::api::{Api, Patch, PatchParams, PostParams};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::insist;

/// What a node has room for.
const CPUS: f64 = 64.0;

/// Why a pod is not for the node, in the manner of the real scheduler.
pub(super) fn refusal(pod: &Pod, node: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let selector = spec.node_selector.iter().flatten();
    let mut others =
        selector.filter(|(key, value)| *key != "kubernetes.io/hostname" || value.as_str() != node);
    if others.next().is_some() {
        return Some(
            "0/1 nodes are available: 1 node(s) didn't match the pod's node selector.".to_owned(),
        );
    }
    let requests = spec.containers.iter().filter_map(|container| {
        let requests = container.resources.as_ref()?.requests.as_ref()?;
        cpus(&requests.get("cpu")?.0)
    });
    let is_too_much = requests.sum::<f64>() > CPUS;
    is_too_much.then(|| "0/1 nodes are available: 1 Insufficient cpu.".to_owned())
}

/// Gives a pod to the node, or says why not.
pub(super) async fn schedule(client: Client, pod: Pod, node: String) {
    let (Some(namespace), Some(name)) = (&pod.metadata.namespace, &pod.metadata.name) else {
        return;
    };
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    if let Some(message) = refusal(&pod, &node) {
        let condition = json!({
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": Timestamp::now().to_string(),
        });
        let patch = Patch::Strategic(json!({ "status": { "conditions": [condition] } }));
        let params = PatchParams::default();
        insist(|| async { pods.patch_status(name, &params, &patch).await.map(drop) }).await;
        return;
    }
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": { "name": name },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    });
    let params = PostParams::default();
    insist(|| async {
        let bound: kube::Result<Value> = pods
            .create_subresource("binding", name, &params, &binding)
            .await;
        bound.map(drop)
    })
    .await;
}

/// A quantity as the API server writes CPUs: `4000` comes back as `4k`.
fn cpus(text: &str) -> Option<f64> {
    let units = [('m', 0.001), ('k', 1_000.0)];
    let unit = units
        .into_iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)));
    let (number, unit) = unit.unwrap_or((text, 1.0));
    Some(number.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: &Value) -> Pod {
        serde_json::from_value(json!({ "metadata": {}, "spec": spec })).unwrap()
    }

    #[test]
    fn a_pod_must_fit_the_node() {
        let asking = |cpu: &str| {
            let requests = json!({ "requests": { "cpu": cpu } });
            pod(&json!({ "containers": [ { "name": "app", "resources": requests } ] }))
        };
        assert_eq!(refusal(&asking("500m"), "node"), None);
        assert_eq!(refusal(&asking("64"), "node"), None);
        for too_much in ["65", "4k"] {
            assert!(refusal(&asking(too_much), "node").unwrap().contains("cpu"));
        }
        let elsewhere = json!({ "containers": [], "nodeSelector": { "disk": "fast" } });
        assert!(
            refusal(&pod(&elsewhere), "node")
                .unwrap()
                .contains("selector")
        );
        let here =
            json!({ "containers": [], "nodeSelector": { "kubernetes.io/hostname": "node" } });
        assert_eq!(refusal(&pod(&here), "node"), None);
    }
}
