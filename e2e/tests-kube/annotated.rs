//! An annotation is all that it takes: the object's backend scales from zero and back to zero.

use anyhow::Result;
use tokio::try_join;
use wakegate_e2e::kube::objects::{deployment, gateway, grpc_route, http_route, ingress, service};
use wakegate_e2e::kube::{Host, Scene};

use crate::cycle::{QUICK, from_zero_and_back, from_zero_and_back_by_grpc};

#[tokio::test]
async fn an_http_route_scales_from_zero_and_back() -> Result<()> {
    let objects = [
        deployment("shop", &[]),
        service("shop"),
        gateway("edge"),
        http_route("shop", "edge", "shop.test", "shop"),
    ];
    let hosts = [Host::new("shop.test", "shop/80")];
    let scene = Scene::shared("annotated_http_route", &objects, &hosts).await?;
    let annotations = QUICK.map(|(name, value)| format!("wakegate.dev/{name}={value}"));
    let [first, second] = &annotations;
    let annotate = ["annotate", "httproute", "shop", first, second];
    scene.kubectl(&annotate).await?;
    from_zero_and_back(&scene, "shop", "http://shop.test/").await?;
    scene.finish().await
}

#[tokio::test]
async fn so_does_every_other_kind() -> Result<()> {
    let objects = [
        gateway("edge"),
        deployment("calls", &[]),
        service("calls"),
        grpc_route("calls", "edge", "calls.test", "calls").annotated(&QUICK),
        deployment("pages", &[]),
        service("pages"),
        ingress("pages", "pages.test", "pages").annotated(&QUICK),
        deployment("things", &[]),
        service("things").annotated(&QUICK),
        http_route("things", "edge", "things.test", "things"),
    ];
    let hosts = [
        Host::new("calls.test", "calls/80"),
        Host::new("pages.test", "pages/80"),
        Host::new("things.test", "things/80"),
    ];
    let scene = Scene::shared("annotated_kinds", &objects, &hosts).await?;
    try_join!(
        from_zero_and_back_by_grpc(&scene, "calls", "calls.test"),
        from_zero_and_back(&scene, "pages", "http://pages.test/"),
        from_zero_and_back(&scene, "things", "http://things.test/"),
    )?;
    scene.finish().await
}
