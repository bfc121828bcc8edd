//! An `InterceptorRoute` and the `ScaledObject` that its user wrote are all that it takes: the workload scales from
//! zero and back, also where no route of Envoy's has an annotation, or none is there.

use anyhow::{Result, ensure};
use wakegate_e2e::client::{Version, fetch, full, post};
use wakegate_e2e::kube::objects::{Object, scaled_object};
use wakegate_e2e::kube::objects::{deployment, gateway, http_route, interceptor_route, service};
use wakegate_e2e::kube::{Kind, Scene};

use crate::add_on::{
    UNSAID_INTERVAL, from_zero_and_back, is_ready, routed, scaler_address, wakes, was_held,
};
use crate::cycle::{host, url};

/// As it is in the add-on's documents, with the address of our scaler in the place of its own.
#[tokio::test]
async fn a_users_scaled_object_is_all_that_it_takes() -> Result<()> {
    let scaler = scaler_address().await?;
    let trigger = [
        ("scalerAddress", scaler.as_str()),
        ("interceptorRoute", "shop"),
    ];
    let objects = [
        deployment("shop", &[]),
        service("shop"),
        interceptor_route("shop", "shop.test", "shop"),
        scaled_object("shop", "shop", &trigger),
    ];
    let scene = Scene::shared("interceptor_route", &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    wakes(&scene, "shop", &url("shop")).await?;
    let shop = (Kind::DEPLOYMENT, "shop");
    scene.is_at_within(shop, 0, UNSAID_INTERVAL).await?;
    only_the_users(&scene).await?;
    scene.finish().await
}

#[tokio::test]
async fn a_body_that_is_held_arrives_whole() -> Result<()> {
    let scene = Scene::shared("held_body", &routed("shop").await?, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    scene.is_asleep(&url("shop")).await?;
    let body = vec![b'x'; 100_000];
    let request = post(&url("shop"), full(body.clone()))?;
    let answer = fetch(Version::H1, scene.envoy()?.address(), request).await?;
    was_held(&answer)?;
    let told = answer.json()?;
    let length = told
        .pointer("/body/length")
        .and_then(serde_json::Value::as_u64);
    ensure!(length == Some(100_000), "the app has got {told}");
    let echo = post("http://shop.test/echo", full(body.clone()))?;
    let echo = fetch(Version::H1, scene.envoy()?.address(), echo).await?;
    ensure!(echo.body == body, "the body comes back");
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await
}

/// The route says where its requests go, and nothing about how they are held.
#[tokio::test]
async fn a_route_without_an_annotation_is_in_nobodys_way() -> Result<()> {
    let objects: [&[Object]; 2] = [
        &[
            gateway("edge"),
            http_route("shop", "edge", "shop.test", "shop"),
        ],
        &routed("shop").await?,
    ];
    let scene = Scene::shared("plain_http_route", &objects.concat(), &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    only_the_users(&scene).await?;
    scene.finish().await
}

/// We make none beside it, and leave it as it was written.
async fn only_the_users(scene: &Scene<'_>) -> Result<()> {
    let names = ["get", "scaledobjects", "--output=name"];
    let names = scene.kubectl(&names).await?;
    ensure!(
        names.trim() == "scaledobject.keda.sh/shop",
        "there are {names}"
    );
    let generation = ["get", "scaledobject", "shop"];
    let generation = [
        &generation[..],
        &["--output=jsonpath={.metadata.generation}"],
    ]
    .concat();
    let generation = scene.kubectl(&generation).await?;
    ensure!(generation == "1", "it was changed: {generation}");
    Ok(())
}
