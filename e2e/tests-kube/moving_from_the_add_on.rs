//! Who comes from the KEDA HTTP add-on loses nothing on the way: while its operator runs, nothing of its own is
//! touched, and once it is gone, what it wrote is taken over as it stands.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time;
use wakegate_e2e::Background;
use wakegate_e2e::client::{H2, Version, fetch, get, read};
use wakegate_e2e::kube::objects::{
    Object, deployment, http_scaled_object, list, scaled_object, service,
};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Kind, SOON, Scene, Told, WAKE, Wakegate};

use crate::add_on::{from_zero_and_back, passes, was_held};
use crate::cycle::{host, url};

/// For a writer of ours to have been wrong.
const A_WHILE: Duration = Duration::from_secs(5);
const OPERATOR: &str = "keda-add-ons-http-operator";
/// What we write and KEDA does not.
const OURS_IF_CHANGED: [&str; 4] = [
    "/metadata/uid",
    "/metadata/labels",
    "/metadata/ownerReferences",
    "/spec/triggers",
];
/// Where the add-on's scaler was; nobody answers there.
const THEIR_SCALER: &str = "keda-add-ons-http-external-scaler.keda:9090";

#[tokio::test]
async fn a_workload_changes_hands_while_it_serves() -> Result<()> {
    // The operator is one for the whole cluster.
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["move"]).await?;
    let objects = [
        operator()?,
        deployment("shop", &[]).set("/replicas", json!(1))?,
        service("shop"),
        http_scaled_object("shop", "shop.test", "shop"),
    ];
    scene.set(&objects, &[host("shop")]).await?;
    create_as_the_operator(&scene, Some("HTTPScaledObject")).await?;
    scene.deployment_is_at("shop", 1).await?;
    let before = the_scaled_object(&scene).await?;
    let is_it = |told: &Told| told.reason == "AddOnRuns";
    let told = scene.event(0, ("HTTPScaledObject", "shop"), "AddOnRuns", is_it);
    scene.note(&told.await?.message);
    is_untouched(&scene, &before).await?;

    let generation = generation_of_the_deployment(&scene).await?;
    let mut load = requests(&scene).await?;
    operator_is_at(&scene, 0).await?;
    is_taken_over(&scene, &before).await?;
    scene.note("the ScaledObject is taken over");
    scene.deployment_stays_at("shop", 1, A_WHILE).await?;
    ensure!(!load.is_done(), "a request was lost");
    let after = generation_of_the_deployment(&scene).await?;
    ensure!(after == generation, "somebody has scaled it meanwhile");
    drop(load);
    scene.deployment_is_at("shop", 0).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await?;
    cluster.finish()
}

/// What is asked for meanwhile is held and served afterwards, and what is deleted meanwhile is the operator's to let go,
/// until it is gone itself.
#[tokio::test]
async fn what_the_operator_has_not_done_is_done_when_it_is_gone() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["half_done"]).await?;
    let finalizers = json!(["httpscaledobject.http.keda.sh"]);
    let objects = [
        operator()?,
        deployment("shop", &[]),
        service("shop"),
        http_scaled_object("shop", "shop.test", "shop"),
        deployment("old", &[]),
        service("old"),
        http_scaled_object("old", "old.test", "old").with("finalizers", finalizers),
    ];
    scene.set(&objects, &[host("shop")]).await?;
    create_as_the_operator(&scene, Some("HTTPScaledObject")).await?;
    scene
        .warning("HTTPScaledObject", "shop", &[OPERATOR])
        .await?;
    let delete = ["delete", "httpso", "old", "--wait=false"];
    scene.kubectl(&delete).await?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let held = connection.send_until_held(&url("shop"), SOON).await?;
    let is_there = |object: Option<&Value>| object.is_some();
    let old = (Kind::HTTP_SCALED_OBJECT, "old");
    scene
        .object_throughout(old, "waits for its operator", A_WHILE, is_there)
        .await?;

    operator_is_at(&scene, 0).await?;
    let answer = time::timeout(WAKE, held).await.context("it is held on")?;
    was_held(&read(answer?).await?)?;
    scene.is_gone(Kind::HTTP_SCALED_OBJECT, "old").await?;
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await?;
    cluster.finish()
}

/// Who goes back to the add-on has its operator write again, and may come once more.
#[tokio::test]
async fn the_way_back_is_open_and_so_is_the_next_way_here() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["way_back"]).await?;
    let objects = [
        operator()?,
        deployment("shop", &[]),
        service("shop"),
        http_scaled_object("shop", "shop.test", "shop"),
    ];
    scene.set(&objects, &[host("shop")]).await?;
    create_as_the_operator(&scene, Some("HTTPScaledObject")).await?;
    let first = the_scaled_object(&scene).await?;
    operator_is_at(&scene, 0).await?;
    is_taken_over(&scene, &first).await?;

    operator_is_at(&scene, 1).await?;
    let trigger = [
        ("scalerAddress", THEIR_SCALER),
        ("httpScaledObject", "shop"),
    ];
    let triggers = scaled_object("shop", "shop", &trigger);
    let triggers = json!({ "spec": { "triggers": triggers.get("/triggers") } }).to_string();
    let patch = [
        "patch",
        "scaledobject",
        "shop",
        "--type=merge",
        "--patch",
        &triggers,
    ];
    let patch = [&patch[..], &["--field-manager=operator"]].concat();
    scene.kubectl(&patch).await?;
    let second = the_scaled_object(&scene).await?;
    is_untouched(&scene, &second).await?;

    operator_is_at(&scene, 0).await?;
    is_taken_over(&scene, &first).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn a_scaled_object_that_is_not_of_the_add_on_is_left_alone() -> Result<()> {
    let objects = [deployment("shop", &[]), service("shop")];
    let scene = Scene::shared("not_of_the_add_on", &objects, &[host("shop")]).await?;
    create_as_the_operator(&scene, None).await?;
    let before = the_scaled_object(&scene).await?;
    let object = http_scaled_object("shop", "shop.test", "shop");
    scene.apply(&[object]).await?;
    let words = ["ScaledObject", "not of this object"];
    scene.warning("HTTPScaledObject", "shop", &words).await?;
    is_untouched(&scene, &before).await?;
    scene.finish().await
}

/// The add-on's operator as far as it can be seen: a Deployment whose pods have its labels.
fn operator() -> Result<Object> {
    let labels = json!({
        "app": OPERATOR,
        "app.kubernetes.io/part-of": "keda",
        "app.kubernetes.io/name": "http",
        "app.kubernetes.io/instance": "operator",
    });
    deployment(OPERATOR, &[])
        .set("/replicas", json!(1))?
        .set("/template/metadata/labels", labels)
}

/// A ScaledObject as the operator makes it, controlled by the object of its name or by nobody.
async fn create_as_the_operator(scene: &Scene<'_>, owner: Option<&str>) -> Result<()> {
    let trigger = [
        ("scalerAddress", THEIR_SCALER),
        ("httpScaledObject", "shop"),
    ];
    let mut object = scaled_object("shop", "shop", &trigger)
        .set("/pollingInterval", json!(15))?
        .set("/advanced/restoreToOriginalReplicaCount", json!(true))?;
    if let Some(kind) = owner {
        let uid = "--output=jsonpath={.metadata.uid}";
        let uid = scene.kubectl(&["get", kind, "shop", uid]).await?;
        let owner = json!({
            "apiVersion": "http.keda.sh/v1alpha1", "kind": kind, "name": "shop", "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        });
        object = object.with("ownerReferences", json!([owner]));
    }
    let create = ["create", "--field-manager=operator", "--filename=-"];
    scene.kubectl_with(&create, &list(&[object])).await?;
    Ok(())
}

async fn operator_is_at(scene: &Scene<'_>, n_replicas: u64) -> Result<()> {
    let replicas = format!("--replicas={n_replicas}");
    let scale = ["scale", "deployment", OPERATOR, &replicas];
    scene.kubectl(&scale).await?;
    scene.deployment_is_at(OPERATOR, n_replicas).await
}

/// The ScaledObject as the operator has written it, and KEDA has seen it.
async fn the_scaled_object(scene: &Scene<'_>) -> Result<Value> {
    let look = |object: Option<&Value>| {
        let object = object?;
        let address = object.pointer("/spec/triggers/0/metadata/scalerAddress")?;
        // KEDA puts its label on each.
        let labels = object.pointer("/metadata/labels")?.as_object()?;
        let is_it = *address == THEIR_SCALER && labels.contains_key("scaledobject.keda.sh/name");
        is_it.then(|| object.clone())
    };
    let what = "is the operator's, and seen by KEDA";
    scene.object(Kind::SCALED_OBJECT, "shop", what, look).await
}

async fn is_untouched(scene: &Scene<'_>, before: &Value) -> Result<()> {
    let is_so = |object: Option<&Value>| {
        let same = |pointer| object.and_then(|it| it.pointer(pointer)) == before.pointer(pointer);
        OURS_IF_CHANGED.into_iter().all(same)
    };
    let theirs = (Kind::SCALED_OBJECT, "shop");
    let what = "is as the operator left it";
    scene.object_throughout(theirs, what, A_WHILE, is_so).await
}

/// The object is the one that was there, and ours now.
async fn is_taken_over(scene: &Scene<'_>, before: &Value) -> Result<()> {
    let scaler = scene.wakegate().scaler().addresses().grpc.to_string();
    let look = |object: Option<&Value>| {
        let object = object?;
        let address = object.pointer("/spec/triggers/0/metadata/scalerAddress")?;
        let label = "/metadata/labels/app.kubernetes.io~1managed-by";
        let is_ours = *address == scaler && object.pointer(label)? == "wakegate";
        is_ours.then(|| object.clone())
    };
    let what = "is taken over";
    let now = scene
        .object(Kind::SCALED_OBJECT, "shop", what, look)
        .await?;
    for pointer in ["/metadata/uid", "/metadata/ownerReferences"] {
        let (now, before) = (now.pointer(pointer), before.pointer(pointer));
        ensure!(now == before, "{pointer} is {now:?}, was {before:?}");
    }
    Ok(())
}

async fn generation_of_the_deployment(scene: &Scene<'_>) -> Result<String> {
    let generation = "--output=jsonpath={.metadata.generation}";
    let args = ["get", "deployment", "shop", generation];
    scene.kubectl(&args).await
}

/// One request after the other, until one is not answered by the app.
async fn requests(scene: &Scene<'_>) -> Result<Background> {
    let address = scene.envoy()?.address();
    let url = url("shop");
    passes(scene, &url).await?;
    Ok(Background::start(async move {
        let mut next = time::interval(Duration::from_millis(20));
        while let Ok(request) = get(&url) {
            next.tick().await;
            match fetch(Version::H1, address, request).await {
                Ok(answer) if answer.status == 200 => {}
                // It ends early, which the test sees.
                Ok(_) | Err(_) => break,
            }
        }
    }))
}
