//! Endpoints come and go in ways that no Deployment at work shows: in several slices, and by failing.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::kube::objects::{APP_PORT, deployment, gateway, http_route, service};
use wakegate_e2e::kube::{Kind, SOON, Scene};

use crate::cycle::{host, quick, routed, url, was_held};

/// The Service has no selector: its slices are written by hand, so its workload must be named.
#[tokio::test]
async fn endpoints_in_two_slices_are_one_backend() -> Result<()> {
    let settings = quick(&[("scale-target", "Deployment/shop"), ("cooldown", "60s")]);
    let objects = [
        gateway("edge"),
        deployment("shop", &[]),
        service("shop").set("/selector", Value::Null)?,
        http_route("shop", "edge", "shop.test", "shop").annotated(&settings),
    ];
    let scene = Scene::shared("two_slices", &objects, &[host("shop")]).await?;
    put_slice(&scene, "first", &[]).await?;
    put_slice(&scene, "second", &[]).await?;
    scene.scaled_object("shop").await?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let held = connection.send(get(&url("shop"))?);
    scene.deployment_is_at("shop", 1).await?;
    let look = |object: Option<&Value>| {
        let ready = object?.pointer("/status/readyReplicas")?.as_u64()?;
        (ready == 1).then_some(())
    };
    scene
        .object(Kind::DEPLOYMENT, "shop", "is ready", look)
        .await?;
    ensure!(scene.envoy()?.counted("held").await? == 1, "it is held");
    let pod = ["get", "pods", "--output=jsonpath={.items[0].status.podIP}"];
    let pod = scene.kubectl(&pod).await?;
    put_slice(&scene, "second", &[&pod]).await?;
    was_held(&read(held.await?).await?)?;
    // The same endpoint moves to the other slice: nobody notices.
    put_slice(&scene, "first", &[&pod]).await?;
    put_slice(&scene, "second", &[]).await?;
    for _ in 0..10 {
        let answer = scene.get(&url("shop")).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
    }
    put_slice(&scene, "first", &[]).await?;
    let held = connection.send_until_held(&url("shop"), SOON).await?;
    put_slice(&scene, "first", &[&pod]).await?;
    was_held(&read(held.await?).await?)?;
    scene.finish().await
}

#[tokio::test]
async fn who_asks_while_the_only_pod_fails_its_probe_is_held() -> Result<()> {
    let objects = routed("shop", &quick(&[("cooldown", "60s")]));
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("failing_pod", &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    was_held(&scene.get(&url("shop")).await?)?;
    let answer = scene.get("http://shop.test/unready?ms=6000").await?;
    ensure!(answer.status == 200, "answered with {}", answer.status);
    let connection = H2::open(scene.envoy()?.address()).await?;
    let held = connection.send_until_held(&url("shop"), SOON).await?;
    was_held(&read(held.await?).await?)?;
    scene.finish().await
}

async fn put_slice(scene: &Scene<'_>, name: &str, addresses: &[&str]) -> Result<()> {
    let endpoints = addresses.iter();
    let endpoints: Vec<_> = endpoints
        .map(|address| json!({ "addresses": [address], "conditions": { "ready": true } }))
        .collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": name, "labels": { "kubernetes.io/service-name": "shop" } },
        "addressType": "IPv4",
        "ports": [ { "name": "http", "port": APP_PORT, "protocol": "TCP" } ],
        "endpoints": endpoints,
    });
    scene.apply_text(&slice.to_string()).await
}
