//! How an `HTTPScaledObject` and its `ScaledObject` part, by annotations and by deletion, as with the KEDA HTTP
//! add-on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{Object, deployment, http_scaled_object, scaled_object, service};
use wakegate_e2e::kube::{Kind, Scene};

use crate::add_on::{from_zero_and_back, scaler_address, wakes};
use crate::cycle::{host, url};

const SKIP: &str = "httpscaledobject.keda.sh/skip-scaledobject-creation";
const ORPHAN: &str = "httpscaledobject.keda.sh/orphan-scaledobject";
/// What the add-on's operator puts on each, and takes away when it is deleted.
const FINALIZER: &str = "httpscaledobject.http.keda.sh";
/// For a garbage collector, or a writer of ours, to have deleted something.
const A_WHILE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn skip_deletes_it_until_it_is_taken_back() -> Result<()> {
    let scene = started("skipped_http_so", in_shop()).await?;
    annotate(&scene, &format!("{SKIP}=true")).await?;
    scene.is_gone(Kind::SCALED_OBJECT, "shop").await?;
    annotate(&scene, &format!("{SKIP}-")).await?;
    scene.scaled_object("shop").await?;
    wakes(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

/// Names may differ: the trigger says which requests count.
#[tokio::test]
async fn with_skip_it_is_the_users_to_write() -> Result<()> {
    let scaler = scaler_address().await?;
    let trigger = [
        ("scalerAddress", scaler.as_str()),
        ("httpScaledObject", "shop"),
        ("pollingInterval", "1"),
    ];
    let objects = [
        deployment("shop", &[]),
        service("shop"),
        in_shop().annotated_as(SKIP, "true"),
        scaled_object("theirs", "shop", &trigger),
    ];
    let scene = Scene::shared("own_for_http_so", &objects, &[host("shop")]).await?;
    let (kind, ready) = (Kind::HTTP_SCALED_OBJECT, ("Ready", "True"));
    scene.condition(kind, "shop", ready).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    let names = ["get", "scaledobjects", "--output=name"];
    let names = scene.kubectl(&names).await?;
    ensure!(names.lines().count() == 1, "there are {names}");
    scene.finish().await
}

#[tokio::test]
async fn an_orphan_stays_and_is_nobodys() -> Result<()> {
    let scene = started("orphaned_http_so", in_shop()).await?;
    let before = scene.scaled_object("shop").await?;
    annotate(&scene, &format!("{ORPHAN}=true")).await?;
    let is_orphan = |object: Option<&Value>| {
        let owners = object?.pointer("/metadata/ownerReferences");
        let is_owned = owners
            .and_then(Value::as_array)
            .is_some_and(|it| !it.is_empty());
        (!is_owned).then_some(())
    };
    let what = "has no owner";
    scene
        .object(Kind::SCALED_OBJECT, "shop", what, is_orphan)
        .await?;
    // It is the user's now, and still says when the workload is to wake.
    wakes(&scene, "shop", &url("shop")).await?;
    scene.kubectl(&["delete", "httpso", "shop"]).await?;
    scene.is_gone(Kind::HTTP_SCALED_OBJECT, "shop").await?;
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
    let is_there = |object: Option<&Value>| object.and_then(uid) == uid(&before);
    let orphan = (Kind::SCALED_OBJECT, "shop");
    scene
        .object_throughout(orphan, "stays", A_WHILE, is_there)
        .await?;
    scene.finish().await
}

/// The operator that would have let it go is gone with the add-on.
#[tokio::test]
async fn one_with_the_add_ons_finalizer_can_be_deleted() -> Result<()> {
    let ours = in_shop().with("finalizers", json!([FINALIZER]));
    // As it was before: KEDA puts it back to what it was.
    let shop = deployment("shop", &[]).set("/replicas", json!(1))?;
    let objects = [shop, service("shop"), ours];
    let scene = Scene::shared("finalizer_http_so", &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    scene.deployment_is_at("shop", 0).await?;
    wakes(&scene, "shop", &url("shop")).await?;
    scene.kubectl(&["delete", "httpso", "shop"]).await?;
    scene.is_gone(Kind::HTTP_SCALED_OBJECT, "shop").await?;
    scene.is_gone(Kind::SCALED_OBJECT, "shop").await?;
    let answer = scene.get(&url("shop")).await?;
    ensure!(answer.status == 200, "its requests pass: {}", answer.status);
    scene.finish().await
}

/// A finalizer of somebody else's is theirs.
#[tokio::test]
async fn another_finalizer_is_left() -> Result<()> {
    let theirs = "team.example/later";
    let ours = in_shop().with("finalizers", json!([FINALIZER, theirs]));
    let scene = started("two_finalizers", ours).await?;
    scene
        .kubectl(&["delete", "httpso", "shop", "--wait=false"])
        .await?;
    let look = |object: Option<&Value>| {
        let finalizers = object?.pointer("/metadata/finalizers")?;
        (*finalizers == json!([theirs])).then_some(())
    };
    let what = "has theirs alone";
    scene
        .object(Kind::HTTP_SCALED_OBJECT, "shop", what, look)
        .await?;
    let none = json!({ "metadata": { "finalizers": null } }).to_string();
    let patch = ["patch", "httpso", "shop", "--type=merge", "--patch", &none];
    scene.kubectl(&patch).await?;
    scene.is_gone(Kind::HTTP_SCALED_OBJECT, "shop").await?;
    scene.finish().await
}

fn in_shop() -> Object {
    http_scaled_object("shop", "shop.test", "shop")
}

async fn started(test: &str, object: Object) -> Result<Scene<'static>> {
    let objects = [deployment("shop", &[]), service("shop"), object];
    let scene = Scene::shared(test, &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await.context("it is made")?;
    Ok(scene)
}

async fn annotate(scene: &Scene<'_>, annotation: &str) -> Result<()> {
    let args = ["annotate", "httpscaledobject", "shop", annotation];
    scene.kubectl(&args).await.map(drop)
}
