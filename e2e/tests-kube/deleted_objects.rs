//! Who deletes a route, or its annotation, has everything back as it was.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use wakegate_e2e::eventually;
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::{QUICK, host, quick, routed, url, was_held};

/// From an object that is deleted to a filter that has forgotten it.
const GONE_IN: Duration = Duration::from_secs(1);
/// For a garbage collector or a KEDA that would stop a workload to have done so.
const A_WHILE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_deleted_route_leaves_its_workload_running() -> Result<()> {
    let [deployment, service, route] = routed("shop", &QUICK);
    // As it was before there was a Wakegate.
    let deployment = deployment.set("/replicas", json!(1))?;
    let objects = [gateway("edge"), deployment, service, route];
    let scene = Scene::shared("deleted_route", &objects, &[host("shop")]).await?;
    let name = scene.scaled_object_name("shop").await?;
    let name = name.as_str();
    scene.deployment_is_at("shop", 0).await?;
    scene.is_asleep(&url("shop")).await?;
    was_held(&scene.get(&url("shop")).await?)?;
    scene.kubectl(&["delete", "httproute", "shop"]).await?;
    scene.is_gone(Kind::SCALED_OBJECT, name).await?;
    scene.deployment_stays_at("shop", 1, A_WHILE).await?;
    let answer = scene.get(&url("shop")).await?;
    ensure!(answer.status == 200, "its requests pass: {}", answer.status);
    scene.finish().await
}

/// Without a `ScaledObject` of ours nobody restores the workload: it stays at zero, and what is not held gets
/// Envoy's own answer.
#[tokio::test]
async fn a_filter_forgets_a_deleted_route_within_a_second() -> Result<()> {
    let objects = routed(
        "shop",
        &quick(&[("scaled-object", "external"), ("hold-timeout", "1s")]),
    );
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("forgotten_route", &objects, &[host("shop")]).await?;
    let status = async || Some(scene.get(&url("shop")).await.ok()?.status);
    let is_held = async || status().await.filter(|status| *status == 504).map(drop);
    eventually(Duration::from_secs(20), "a request is held", is_held).await?;
    scene
        .kubectl(&["delete", "httproute", "shop", "--wait=false"])
        .await?;
    let passes = async || status().await.filter(|status| *status == 503).map(drop);
    // One that was held before may end within its own limit.
    let limit = GONE_IN + Duration::from_secs(1);
    eventually(limit, "a request is not held", passes).await?;
    scene.finish().await
}
