//! Nothing goes to zero before someone knows that nobody needs it, and its cooldown is over.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use wakegate_e2e::kube::objects::{Object, gateway};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Kind, SOON, Scene, Wakegate};

use crate::cycle::{QUICK, from_zero_and_back, host, hpa_asks_nothing, routed, url};

/// Several polls of KEDA, and longer than the scaler's window of activity.
const A_WHILE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_cooldown_of_nothing_is_a_cooldown() -> Result<()> {
    let settings = [("scale-to-zero", "true"), ("cooldown", "0s")];
    let objects = [&[gateway("edge")], &routed("shop", &settings)[..]].concat();
    let scene = Scene::shared("cooldown_zero", &objects, &[host("shop")]).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

#[tokio::test]
async fn what_runs_already_stays_up_for_its_cooldown() -> Result<()> {
    let settings = [("scale-to-zero", "true"), ("cooldown", "12s")];
    let objects = running(&settings)?;
    let scene = Scene::shared("fresh_object", &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    scene.note("its ScaledObject is there");
    scene.deployment_stays_at("shop", 1, A_WHILE).await?;
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await
}

#[tokio::test]
async fn without_a_filter_nothing_goes_to_zero() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    hpa_asks_nothing(&cluster)?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["no_filter"]).await?;
    // What the filter said last counts for 10 s. The cooldown is over only then, and nobody says anything.
    let settings = [("scale-to-zero", "true"), ("cooldown", "12s")];
    scene.set(&running(&settings)?, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    scene.kill_envoy()?;
    scene.deployment_stays_at("shop", 1, 2 * A_WHILE).await?;
    scene.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn a_scaled_object_that_someone_deletes_comes_back() -> Result<()> {
    let objects = [&[gateway("edge")], &routed("shop", &QUICK)[..]].concat();
    let scene = Scene::shared("object_deleted", &objects, &[host("shop")]).await?;
    let uid = |object: &serde_json::Value| object.pointer("/metadata/uid").cloned();
    let object = scene.scaled_object("shop").await?;
    let name = object.pointer("/metadata/name").and_then(|it| it.as_str());
    let name = name.context("a ScaledObject has a name")?;
    scene.kubectl(&["delete", "scaledobject", name]).await?;
    let look = |now: Option<&serde_json::Value>| {
        let now = uid(now?);
        (now.is_some() && now != uid(&object)).then_some(())
    };
    let what = "is another";
    scene.object(Kind::SCALED_OBJECT, name, what, look).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

#[tokio::test]
async fn paused_at_zero_is_503_at_once() -> Result<()> {
    let objects = [&[gateway("edge")], &routed("shop", &QUICK)[..]].concat();
    let scene = Scene::shared("keda_paused", &objects, &[host("shop")]).await?;
    let name = scene.scaled_object_name("shop").await?;
    let name = name.as_str();
    let paused = "autoscaling.keda.sh/paused=true";
    scene
        .kubectl(&["annotate", "scaledobject", name, paused])
        .await?;
    wakegate_e2e::eventually_is(SOON, "the answer's status", 503, async || {
        Ok(scene.get(&url("shop")).await?.status)
    })
    .await?;
    scene.deployment_is_at("shop", 0).await?;
    scene
        .kubectl(&[
            "annotate",
            "scaledobject",
            name,
            "autoscaling.keda.sh/paused-",
        ])
        .await?;
    wakegate_e2e::eventually_is(SOON, "the answer's status", 200, async || {
        Ok(scene.get(&url("shop")).await?.status)
    })
    .await?;
    scene.finish().await
}

/// An app that runs before there is a Wakegate.
fn running(settings: &[(&str, &str)]) -> Result<Vec<Object>> {
    let [deployment, service, route] = routed("shop", settings);
    let deployment = deployment.set("/replicas", json!(1))?;
    Ok(vec![gateway("edge"), deployment, service, route])
}
