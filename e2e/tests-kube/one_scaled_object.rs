//! A workload has one `ScaledObject`, however many ways lead to it, and each of them wakes it.

use anyhow::{Result, ensure};
use serde_json::json;
use wakegate_e2e::kube::objects::{deployment, gateway, http_route, ingress, service};
use wakegate_e2e::kube::{Host, Scene};

use crate::cycle::{QUICK, from_zero_and_back};

#[tokio::test]
async fn two_routes_to_one_service_make_one() -> Result<()> {
    let objects = [
        gateway("edge"),
        deployment("shop", &[]),
        service("shop"),
        http_route("first", "edge", "first.test", "shop").annotated(&QUICK),
        ingress("second", "second.test", "shop").annotated(&QUICK),
    ];
    let hosts = ["first.test", "second.test"].map(|host| Host::new(host, "shop/80"));
    let scene = Scene::shared("two_routes", &objects, &hosts).await?;
    both_wake_it(&scene).await?;
    scene.finish().await
}

#[tokio::test]
async fn so_do_two_services_of_one_deployment() -> Result<()> {
    let of_shop = |name: &str| service(name).set("/selector/app", json!("shop"));
    let objects = [
        gateway("edge"),
        deployment("shop", &[]),
        of_shop("stable")?,
        of_shop("canary")?,
        http_route("first", "edge", "first.test", "stable").annotated(&QUICK),
        http_route("second", "edge", "second.test", "canary").annotated(&QUICK),
    ];
    let hosts = [
        Host::new("first.test", "stable/80"),
        Host::new("second.test", "canary/80"),
    ];
    let scene = Scene::shared("two_services", &objects, &hosts).await?;
    both_wake_it(&scene).await?;
    scene.finish().await
}

async fn both_wake_it(scene: &Scene<'_>) -> Result<()> {
    from_zero_and_back(scene, "shop", "http://first.test/").await?;
    from_zero_and_back(scene, "shop", "http://second.test/").await?;
    let names = scene
        .kubectl(&["get", "scaledobjects", "--output=name"])
        .await?;
    ensure!(names.lines().count() == 1, "there are {names}");
    Ok(())
}
