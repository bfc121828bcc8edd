//! KEDA's own annotation, on the object that has ours: who asks at zero is told so at once, until it goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time;
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{Kind, SOON, Scene};

use crate::cycle::{QUICK, from_zero_and_back, host, routed, url};

const PAUSED: &str = "autoscaling.keda.sh/paused";
/// Far from the minute that requests are held.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn kedas_pause_passes_through_and_is_503_at_zero() -> Result<()> {
    let objects = [&[gateway("edge")], &routed("shop", &QUICK)[..]].concat();
    let scene = Scene::shared("pausing", &objects, &[host("shop")]).await?;
    let name = scene.scaled_object_name("shop").await?;
    let name = name.as_str();
    for kind in ["httproute", "service"] {
        is_paused_and_goes_on(&scene, kind, name)
            .await
            .with_context(|| format!("on the {kind}"))?;
    }
    scene.finish().await
}

async fn is_paused_and_goes_on(scene: &Scene<'_>, kind: &str, name: &str) -> Result<()> {
    let set = format!("{PAUSED}=true");
    scene.kubectl(&["annotate", kind, "shop", &set]).await?;
    let pause = |object: &Value| {
        object
            .pointer("/metadata/annotations")?
            .get(PAUSED)
            .cloned()
    };
    let is_set = |object: Option<&Value>| (pause(object?)? == "true").then_some(());
    let kind_of = Kind::SCALED_OBJECT;
    scene.object(kind_of, name, "is paused", is_set).await?;
    // We have written it, and see it as everybody does: a moment later.
    let status = async || {
        let answer = time::timeout(AT_ONCE, scene.get(&url("shop"))).await;
        Ok(answer.context("it is held")??.status)
    };
    eventually_is(SOON, "the answer's status", 503, status).await?;
    ensure!(status().await? == 503, "it is 503 and then another");
    scene.deployment_is_at("shop", 0).await?;

    let remove = format!("{PAUSED}-");
    scene.kubectl(&["annotate", kind, "shop", &remove]).await?;
    let is_gone = |object: Option<&Value>| pause(object?).is_none().then_some(());
    scene.object(kind_of, name, "goes on", is_gone).await?;
    let status = async || Ok(scene.get(&url("shop")).await?.status);
    eventually_is(SOON, "the answer's status", 200, status).await?;
    scene.deployment_is_at("shop", 0).await?;
    from_zero_and_back(scene, "shop", &url("shop")).await
}
