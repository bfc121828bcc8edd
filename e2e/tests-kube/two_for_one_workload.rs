//! Who moves has two objects for one workload for a while: both of the KEDA HTTP add-on's kinds under one name, or one
//! of them beside a route with our annotations. Whichever gets the requests, the workload scales by them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{
    deployment, gateway, http_route, http_scaled_object, interceptor_route, service,
};
use wakegate_e2e::kube::{Host, Kind, Scene};

use crate::add_on::{from_zero_and_back, is_ready};
use crate::cycle::{self, QUICK, host, url};

/// What an annotated route brings to the same Service is demand as well, and has no ScaledObject of its own.
#[tokio::test]
async fn an_annotated_route_beside_it_wakes_by_the_same() -> Result<()> {
    let objects = [
        gateway("edge"),
        deployment("shop", &[]),
        service("shop"),
        http_scaled_object("shop", "shop.test", "shop"),
        http_route("other", "edge", "other.test", "shop").annotated(&QUICK),
    ];
    let hosts = ["shop.test", "other.test"].map(|host| Host::new(host, "shop/80"));
    let scene = Scene::shared("beside_http_so", &objects, &hosts).await?;
    let (kind, ready) = (Kind::HTTP_SCALED_OBJECT, ("Ready", "True"));
    scene.condition(kind, "shop", ready).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    cycle::from_zero_and_back(&scene, "shop", &url("other")).await?;
    let names = ["get", "scaledobjects", "--output=name"];
    let names = scene.kubectl(&names).await?;
    ensure!(
        names.trim() == "scaledobject.keda.sh/shop",
        "there are {names}"
    );
    scene.finish().await
}

#[tokio::test]
async fn the_route_gets_the_requests_and_both_scale() -> Result<()> {
    let objects = [
        deployment("shop", &[]),
        service("shop"),
        http_scaled_object("shop", "shop.test", "shop"),
    ];
    let scene = Scene::shared("one_name", &objects, &[host("shop")]).await?;
    let before = scene.scaled_object("shop").await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;

    let asleep = json!([ {
        "rules": [ { "paths": [ { "value": "/who" } ] } ],
        "response": { "body": "the route" },
    } ]);
    let route = interceptor_route("shop", "shop.test", "shop");
    scene.apply(&[route.set("/staticRoutes", asleep)?]).await?;
    is_ready(&scene, "shop").await?;
    let who = scene.get("http://shop.test/who").await?;
    ensure!(who.text() == "the route", "it is {who:?}");
    // By the ScaledObject whose trigger names the other.
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
    let after = scene.scaled_object("shop").await?;
    ensure!(uid(&before) == uid(&after), "it is another: {after}");

    scene
        .kubectl(&["delete", "interceptorroute", "shop"])
        .await?;
    scene.is_gone(Kind::INTERCEPTOR_ROUTE, "shop").await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}
