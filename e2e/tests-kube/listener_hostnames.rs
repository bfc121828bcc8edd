//! A listener's hostname narrows a route that has none: what comes for another host is not ours.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{deployment, gateway, http_route, service};
use wakegate_e2e::kube::{Host, Scene};

use crate::cycle::{QUICK, from_zero_and_back};

#[tokio::test]
async fn a_listeners_hostname_narrows_a_route_without_one() -> Result<()> {
    let edge = gateway("edge").set("/listeners/0/hostname", json!("shop.test"))?;
    let route = http_route("shop", "edge", "", "shop").set("/hostnames", Value::Null)?;
    let objects = [
        edge,
        deployment("shop", &[]),
        service("shop"),
        route.annotated(&QUICK),
    ];
    let hosts = ["shop.test", "other.test"].map(|host| Host::new(host, "shop/80"));
    let scene = Scene::shared("listener_hostnames", &objects, &hosts).await?;
    scene.scaled_object("shop").await?;
    let answer = scene.get("http://other.test/").await?;
    ensure!(answer.status == 503, "Envoy says {}", answer.status);
    ensure!(
        scene.envoy()?.counted("held_total").await? == 0,
        "it was held"
    );
    from_zero_and_back(&scene, "shop", "http://shop.test/").await?;
    scene.finish().await
}
