//! A listener's hostname narrows a route that has none: what comes for another host is not ours. The listener may be of a
//! ListenerSet.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{Object, deployment, gateway, http_route, service};
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

#[tokio::test]
async fn so_does_that_of_a_listener_set_which_the_gateway_allows() -> Result<()> {
    let allowed = json!({ "namespaces": { "from": "Same" } });
    let edge = gateway("edge").set("/listeners/0/hostname", json!("edge.test"))?;
    let spec = json!({ "parentRef": { "name": "edge" }, "listeners": [
        { "name": "http", "port": 80, "protocol": "HTTP", "hostname": "shop.test" } ] });
    let set = Object::new("gateway.networking.k8s.io/v1", "ListenerSet", "more", spec);
    let parent = json!([{ "kind": "ListenerSet", "name": "more" }]);
    let route = http_route("shop", "edge", "", "shop").set("/hostnames", Value::Null)?;
    let route = route.set("/parentRefs", parent)?.annotated(&QUICK);
    let objects = [edge, set, deployment("shop", &[]), service("shop"), route];
    let hosts = ["shop.test", "edge.test"].map(|host| Host::new(host, "shop/80"));
    let scene = Scene::shared("listener_sets", &objects, &hosts).await?;
    let told = scene.warning("HTTPRoute", "shop", &["allowedListeners"]);
    ensure!(told.await?.reason == "NotAttached");

    let edge = gateway("edge").set("/listeners/0/hostname", json!("edge.test"))?;
    scene
        .apply(&[edge.set("/allowedListeners", allowed)?])
        .await?;
    scene.scaled_object("shop").await?;
    let answer = scene.get("http://edge.test/").await?;
    ensure!(answer.status == 503, "Envoy says {}", answer.status);
    from_zero_and_back(&scene, "shop", "http://shop.test/").await?;
    scene.finish().await
}
