//! KEDA takes names of up to 54 characters; Kubernetes gives Services up to 63 and Deployments more.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{deployment, gateway, http_route, service};
use wakegate_e2e::kube::{Host, Scene};

use crate::cycle::{QUICK, from_zero_and_back};

#[tokio::test]
async fn a_name_that_is_too_long_for_keda_scales_all_the_same() -> Result<()> {
    // The longest that Kubernetes takes for a Service, and one that it takes for a Deployment.
    let of_service = "s".repeat(63);
    let of_deployment = "d".repeat(80);
    let labels = json!({ "app": "shop" });
    let shop = deployment(&of_deployment, &[])
        .set("/selector/matchLabels", labels.clone())?
        .set("/template/metadata/labels", labels.clone())?;
    let objects = [
        gateway("edge"),
        shop,
        service(&of_service).set("/selector", labels)?,
        http_route("shop", "edge", "shop.test", &of_service).annotated(&QUICK),
    ];
    let hosts = [Host::new("shop.test", &format!("{of_service}/80"))];
    let scene = Scene::shared("long_names", &objects, &hosts).await?;
    let object = scene.scaled_object(&of_deployment).await?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let length = name.map_or(0, str::len);
    ensure!((1..=54).contains(&length), "its name is {name:?}");
    from_zero_and_back(&scene, &of_deployment, "http://shop.test/").await?;
    scene.finish().await
}
