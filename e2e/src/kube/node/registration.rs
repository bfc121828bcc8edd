//! The Node object, and the signs of life without which its pods would be taken for lost.

use std::sync::Arc;
use std::time::Duration;

use ::kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time;

use super::{Shared, insist};

/// A node is lost after some 40 s of silence.
const RENEWAL: Duration = Duration::from_secs(5);
/// Where nodes keep their Leases.
const LEASES: &str = "kube-node-lease";

/// Makes the Node and its Lease.
pub(super) async fn register(shared: &Shared) -> Result<()> {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let node = Node {
        metadata: ObjectMeta {
            name: Some(shared.name.clone()),
            labels: Some([("kubernetes.io/hostname".to_owned(), shared.name.clone())].into()),
            ..ObjectMeta::default()
        },
        ..Node::default()
    };
    nodes
        .create(&PostParams::default(), &node)
        .await
        .context("make a Node")?;
    renew_once(shared).await.context("say that a Node is well")
}

/// Says that the node is well, again and again.
pub(super) async fn renew(shared: Arc<Shared>) {
    loop {
        time::sleep(RENEWAL).await;
        insist(|| renew_once(&shared)).await;
    }
}

async fn renew_once(shared: &Shared) -> kube::Result<()> {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let status = Patch::Merge(json!({ "status": status() }));
    let params = PatchParams::default();
    nodes.patch_status(&shared.name, &params, &status).await?;
    let leases: Api<Lease> = Api::namespaced(shared.client.clone(), LEASES);
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(shared.name.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(shared.name.clone()),
            lease_duration_seconds: Some(40),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }),
    };
    let params = PatchParams::apply("node").force();
    let lease = Patch::Apply(lease);
    leases.patch(&shared.name, &params, &lease).await.map(drop)
}

fn status() -> Value {
    let now = Timestamp::now().to_string();
    let room = json!({ "cpu": "64", "memory": "64Gi", "pods": "200" });
    let ready = json!({
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the node is well",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    });
    json!({ "capacity": room, "allocatable": room, "conditions": [ready] })
}
