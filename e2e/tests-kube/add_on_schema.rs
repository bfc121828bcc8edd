//! The API server refuses an object of the KEDA HTTP add-on's kinds that its own CRDs refuse, and what passes and
//! cannot be read is told so on its status, while every other goes on.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{
    Object, deployment, http_scaled_object, interceptor_route, list, service,
};
use wakegate_e2e::kube::{Cluster, Kind, Scene};

use crate::add_on::{from_zero_and_back, is_ready, routed};
use crate::cycle::{host, url};

#[tokio::test]
async fn what_is_wrong_is_refused_with_a_way_out() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("wrong_add_on").await?;
    let route = || interceptor_route("shop", "shop.test", "shop");
    let scaled = || http_scaled_object("shop", "shop.test", "shop");
    let two_bodies = json!([ {
        "rules": [ {} ],
        "response": { "body": "soon", "bodyFromConfigMap": { "name": "pages" } },
    } ]);
    let cases: [(Object, &[&str]); 8] = [
        (
            route().set("/target/portName", json!("http"))?,
            &["spec.target", "port or portName"],
        ),
        (
            route().set("/target", json!({ "service": "shop" }))?,
            &["spec.target", "port or portName"],
        ),
        (
            route().set("/scalingMetric", json!({}))?,
            &["spec.scalingMetric", "concurrency, requestRate or both"],
        ),
        (
            route().set("/scalingMetric/concurrency/targetValue", json!(0))?,
            &["spec.scalingMetric.concurrency.targetValue"],
        ),
        (
            route().set("/staticRoutes", two_bodies)?,
            &["spec.staticRoutes[0].response", "body or bodyFromConfigMap"],
        ),
        (route().set("/coldStart", json!({}))?, &["spec.coldStart"]),
        (
            scaled().set("/scaleTargetRef/portName", json!("http"))?,
            &["spec.scaleTargetRef", "port or portName"],
        ),
        (
            scaled().set("/scaleTargetRef/service", Value::Null)?,
            &["scaleTargetRef", "missing required field \"service\""],
        ),
    ];
    for (object, words) in cases {
        let text = list(&[object]);
        let refused = namespace.apply(&text).await.err();
        let said = refused.with_context(|| format!("{text} was taken"))?;
        let said = format!("{said:#}");
        for word in words {
            ensure!(said.contains(word), "{text}: `{word}` is not in: {said}");
        }
    }
    namespace.finish().await
}

#[tokio::test]
async fn what_cannot_be_read_says_so_and_the_others_go_on() -> Result<()> {
    let wrong = interceptor_route("wrong", "wrong.test", "shop");
    let wrong = wrong.set("/timeouts", json!({ "readiness": "soon" }))?;
    let negative = http_scaled_object("negative", "negative.test", "other");
    let negative = negative.set("/replicas", json!({ "max": -1 }))?;
    let others = [deployment("other", &[]), service("other"), wrong, negative];
    let objects = [&routed("shop").await?[..], &others[..]].concat();
    let scene = Scene::shared("unreadable", &objects, &[host("shop")]).await?;
    is_invalid(
        &scene,
        (Kind::INTERCEPTOR_ROUTE, "wrong"),
        "spec.timeouts.readiness",
    )
    .await?;
    is_invalid(
        &scene,
        (Kind::HTTP_SCALED_OBJECT, "negative"),
        "spec.replicas.max",
    )
    .await?;
    is_ready(&scene, "shop").await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;

    let times = json!({ "spec": { "timeouts": { "readiness": "2s" } } }).to_string();
    let patch = [
        "patch",
        "interceptorroute",
        "wrong",
        "--type=merge",
        "--patch",
        &times,
    ];
    scene.kubectl(&patch).await?;
    is_ready(&scene, "wrong").await?;
    scene.finish().await
}

async fn is_invalid(scene: &Scene<'_>, (kind, name): (Kind, &str), field: &str) -> Result<()> {
    let ready = scene.condition(kind, name, ("Ready", "False")).await?;
    let text = |name: &str| ready.get(name).and_then(Value::as_str).unwrap_or_default();
    ensure!(text("reason") == "Invalid", "it says {ready}");
    ensure!(text("message").starts_with(field), "it says {ready}");
    scene.note(text("message"));
    Ok(())
}
