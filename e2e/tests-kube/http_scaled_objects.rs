//! An `HTTPScaledObject` makes its `ScaledObject` as the KEDA HTTP add-on's operator does, and its workload scales
//! from zero and back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{Object, deployment, http_scaled_object, service};
use wakegate_e2e::kube::{Kind, Scene};

use crate::add_on::{from_zero_and_back, scaler_address};
use crate::cycle::{host, url};

/// With the add-on a pause is on the ScaledObject when its operator next looks.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn one_makes_its_scaled_object_as_the_add_on_does() -> Result<()> {
    let ours = http_scaled_object("shop", "shop.test", "shop")
        .annotated_as("team.example/on-call", "us")
        .with("labels", json!({ "team": "shop" }))
        .set("/replicas", json!({ "min": 0, "max": 7 }))?
        .set("/initialCooldownPeriod", json!(3))?;
    let scene = Scene::shared("http_scaled_object", &web(ours), &[host("shop")]).await?;
    let made = scene.scaled_object("shop").await?;
    let scaler = scaler_address().await?;
    let expected = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" },
        // As our control plane was told; 15 s where nobody says.
        "pollingInterval": 1,
        "cooldownPeriod": 1,
        "initialCooldownPeriod": 3,
        "minReplicaCount": 0,
        "maxReplicaCount": 7,
    });
    for (field, value) in expected.as_object().into_iter().flatten() {
        is_so(&made, &format!("/spec/{field}"), value)?;
    }
    let trigger = "/spec/triggers/0/metadata";
    for (pointer, value) in [
        ("/metadata/name", "shop"),
        ("/metadata/labels/team", "shop"),
        ("/metadata/annotations/team.example~1on-call", "us"),
        ("/spec/triggers/0/type", "external-push"),
        (&format!("{trigger}/httpScaledObject"), "shop"),
        (&format!("{trigger}/scalerAddress"), &scaler),
        ("/metadata/ownerReferences/0/kind", "HTTPScaledObject"),
        ("/metadata/ownerReferences/0/name", "shop"),
        ("/metadata/ownerReferences/0/uid", &uid(&scene).await?),
    ] {
        is_so(&made, pointer, &json!(value))?;
    }
    // KEDA adds to `advanced` what it has a default for.
    for pointer in [
        "/spec/advanced/restoreToOriginalReplicaCount",
        "/metadata/ownerReferences/0/controller",
    ] {
        is_so(&made, pointer, &json!(true))?;
    }
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

/// The one of the two that says how many there may be is followed when it changes.
#[tokio::test]
async fn what_changes_in_one_changes_in_the_other() -> Result<()> {
    let ours = http_scaled_object("shop", "shop.test", "shop");
    let scene = Scene::shared("changed_http_so", &web(ours), &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    let patch = json!({ "spec": { "replicas": { "max": 3 }, "scaledownPeriod": 2 } });
    patch_it(&scene, &patch).await?;
    let look = |object: Option<&Value>| {
        let spec = object?.pointer("/spec")?;
        (spec["maxReplicaCount"] == 3 && spec["cooldownPeriod"] == 2).then_some(())
    };
    let what = "follows";
    scene
        .object(Kind::SCALED_OBJECT, "shop", what, look)
        .await?;
    scene.finish().await
}

#[tokio::test]
async fn a_pause_is_passed_on_at_once() -> Result<()> {
    let ours = http_scaled_object("shop", "shop.test", "shop");
    let scene = Scene::shared("paused_http_so", &web(ours), &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    for (annotation, is_paused) in [
        ("autoscaling.keda.sh/paused=true", true),
        ("autoscaling.keda.sh/paused-", false),
    ] {
        scene
            .kubectl(&["annotate", "httpscaledobject", "shop", annotation])
            .await?;
        let look = |object: Option<&Value>| {
            let pause = object?.pointer("/metadata/annotations/autoscaling.keda.sh~1paused");
            (pause.is_some() == is_paused).then_some(())
        };
        let object = (Kind::SCALED_OBJECT, "shop");
        scene
            .object_within(object, annotation, AT_ONCE, look)
            .await?;
    }
    // By then the filters know as well.
    scene
        .condition(Kind::SCALED_OBJECT, "shop", ("Paused", "False"))
        .await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

/// A workload, its Service and what is given.
fn web(object: Object) -> [Object; 3] {
    [deployment("shop", &[]), service("shop"), object]
}

fn is_so(object: &Value, pointer: &str, expected: &Value) -> Result<()> {
    let value = object.pointer(pointer);
    let value = value.with_context(|| format!("{pointer} is missing in {object}"))?;
    ensure!(value == expected, "{pointer} is {value}, not {expected}");
    Ok(())
}

async fn uid(scene: &Scene<'_>) -> Result<String> {
    let uid = "--output=jsonpath={.metadata.uid}";
    scene.kubectl(&["get", "httpso", "shop", uid]).await
}

async fn patch_it(scene: &Scene<'_>, patch: &Value) -> Result<()> {
    let patch = patch.to_string();
    let args = ["patch", "httpso", "shop", "--type=merge", "--patch", &patch];
    scene.kubectl(&args).await.map(drop)
}
