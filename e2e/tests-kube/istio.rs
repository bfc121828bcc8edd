//! The API server takes envoy-config/istio by Istio's own CRDs, field by field. Nobody controls them here.

use std::path::Path;

use anyhow::{Result, ensure};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Crds};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy-config/istio");

#[tokio::test]
async fn the_api_server_takes_the_manifests_of_istio() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        keda: false,
        gateway_api: false,
        http_add_on: false,
        node: false,
        wakegate: false,
    })
    .await?;
    cluster.apply_crds(Crds::Istio).await?;
    cluster
        .kubectl(&["create", "namespace", "istio-ingress"], None)
        .await?;
    for (name, n_objects) in [
        ("destination-rules.yaml", 2),
        ("wasm-plugin.yaml", 1),
        ("envoy-filter.yaml", 1),
    ] {
        let text = std::fs::read_to_string(Path::new(FILES).join(name))?;
        let text = text.replace("\"SHA256\"", &format!("\"{}\"", "0".repeat(64)));
        let args = [
            "apply",
            "--server-side",
            "--validate=strict",
            "--filename=-",
        ];
        let applied = cluster.kubectl(&args, Some(&text)).await?;
        ensure!(applied.lines().count() == n_objects, "{applied}");
    }
    cluster.finish()
}
