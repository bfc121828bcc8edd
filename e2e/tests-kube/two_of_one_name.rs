//! On the way from one of the KEDA HTTP add-on's kinds to the other both are there: the `InterceptorRoute` gets the
//! requests, and what the `HTTPScaledObject` scales by goes on.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{deployment, http_scaled_object, interceptor_route, service};
use wakegate_e2e::kube::{Kind, Scene};

use crate::add_on::{from_zero_and_back, is_ready};
use crate::cycle::{host, url};

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
