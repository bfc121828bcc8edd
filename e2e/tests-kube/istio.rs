//! The API server takes envoy-config/istio by Istio's own CRDs, field by field, and VirtualServices are routes. Nobody
//! else reads them here.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use wakegate_e2e::client::{H2, read};
use wakegate_e2e::kube::objects::{Object, deployment, service};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Crds, SOON, Scene, Wakegate};

use crate::cycle::{host, quick, url, was_held};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy-config/istio");

#[tokio::test]
async fn the_api_server_takes_the_manifests_of_istio() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::BARE).await?;
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

/// One that the API server takes by its CRD.
fn virtual_service(name: &str, host: &str, route: &serde_json::Value) -> Object {
    let spec = json!({ "hosts": [host], "gateways": ["istio-ingress/edge"],
        "http": [ { "name": "all", "match": [ { "uri": { "prefix": "/" } } ], "route": [ route ] } ] });
    Object::new("networking.istio.io/v1", "VirtualService", name, spec)
}

/// Its CRD comes later than the control plane.
#[tokio::test]
async fn a_virtual_service_is_a_route() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        http_add_on: false,
        gateway_api: false,
        ..ClusterOptions::default()
    })
    .await?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["virtual_service"]).await?;
    scene.serve(&[host("shop")]).await?;
    cluster.apply_crds(Crds::Istio).await?;
    let route = json!({ "destination": { "host": "shop", "subset": "v1" } });
    let object = virtual_service("shop", "shop.test", &route).annotated(&quick(&[]));
    let objects = [deployment("shop", &[]), service("shop"), object];
    scene.apply(&objects).await?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let shop = url("shop");
    let held = connection.send_until_held(&shop, SOON);
    let held = held.await.context("a host of a VirtualService")?;
    was_held(&read(held.await?).await?)?;
    scene.scaled_object("shop").await?;

    // What is wrong is said of it alone.
    let route = json!({ "destination": { "host": "example.com" } });
    let object = virtual_service("outside", "outside.test", &route).annotated(&quick(&[]));
    scene.apply(&[object]).await?;
    let told = scene.warning("VirtualService", "outside", &["example.com"]);
    let told = told.await?;
    ensure!(told.reason == "BackendNotHeld", "{told:?}");
    scene.finish().await?;
    cluster.finish()
}
