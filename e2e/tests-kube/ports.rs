//! A port is named or numbered, on either side, and a Service may have several: each is a backend, all are one
//! workload.

use anyhow::{Result, ensure};
use serde_json::json;
use wakegate_e2e::kube::objects::{APP_PORT, deployment, gateway, http_route, ingress, service};
use wakegate_e2e::kube::{Host, Scene};

use crate::cycle::{QUICK, from_zero_and_back};

#[tokio::test]
async fn every_port_of_a_service_wakes_its_workload() -> Result<()> {
    let shop = service("shop").set(
        "/ports",
        json!([
            { "name": "web", "port": 80, "targetPort": "http" },
            { "name": "admin", "port": 9090, "targetPort": APP_PORT },
        ]),
    )?;
    let admin = json!({ "name": "shop", "port": 9090 });
    let objects = [
        gateway("edge"),
        deployment("shop", &[]),
        shop,
        http_route("admin", "edge", "admin.test", "shop")
            .annotated(&QUICK)
            .set("/rules/0/backendRefs/0", admin)?,
        ingress("web", "web.test", "shop").annotated(&QUICK).set(
            "/rules/0/http/paths/0/backend/service/port",
            json!({ "name": "web" }),
        )?,
    ];
    let hosts = [
        Host::new("web.test", "shop/80"),
        Host::new("admin.test", "shop/9090"),
    ];
    let scene = Scene::shared("ports", &objects, &hosts).await?;
    from_zero_and_back(&scene, "shop", "http://web.test/").await?;
    from_zero_and_back(&scene, "shop", "http://admin.test/").await?;
    let names = scene
        .kubectl(&["get", "scaledobjects", "--output=name"])
        .await?;
    ensure!(names.lines().count() == 1, "there are {names}");
    scene.finish().await
}
