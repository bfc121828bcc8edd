//! A `StatefulSet` scales as a Deployment does.

use anyhow::Result;
use wakegate_e2e::kube::objects::{gateway, http_route, service, stateful_set};
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::{QUICK, host, kind_from_zero_and_back, url};

#[tokio::test]
async fn a_stateful_set_scales_from_zero_and_back() -> Result<()> {
    let objects = [
        gateway("edge"),
        stateful_set("store", &[]),
        service("store"),
        http_route("store", "edge", "store.test", "store").annotated(&QUICK),
    ];
    let scene = Scene::shared("stateful_set", &objects, &[host("store")]).await?;
    let store = (Kind::STATEFUL_SET, "store");
    kind_from_zero_and_back(&scene, store, &url("store")).await?;
    scene.finish().await
}
