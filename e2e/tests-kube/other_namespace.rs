//! A route may lead into another namespace only where that namespace grants it.

use anyhow::{Result, ensure};
use serde_json::json;
use wakegate_e2e::kube::objects::{deployment, gateway, http_route, reference_grant, service};
use wakegate_e2e::kube::{Cluster, Host, Scene, Wakegate};

use crate::cycle::{QUICK, from_zero_and_back};

#[tokio::test]
async fn a_route_wakes_what_is_elsewhere_only_with_a_grant() -> Result<()> {
    let (cluster, wakegate) = (Cluster::shared().await?, Wakegate::shared().await?);
    // The app's namespace is the first: what is waited for happens there.
    let names = ["grants_app", "grants_route"];
    let mut scene = Scene::open(cluster, wakegate, &names).await?;
    let app = scene.namespace()?.to_owned();
    let routes = scene.namespace_at(1)?.to_owned();
    let route = http_route("shop", "edge", "shop.test", "shop")
        .annotated(&QUICK)
        .set("/rules/0/backendRefs/0/namespace", json!(app))?;
    let objects = [
        deployment("shop", &[]),
        // Where the workload is, it is said how it scales.
        service("shop").annotated(&QUICK[1..]),
    ];
    scene
        .set(&objects, &[Host::new("shop.test", "shop/80")])
        .await?;
    scene.apply_at(1, &[gateway("edge"), route]).await?;

    let route = ("HTTPRoute", "shop");
    scene.warning_at(1, route, &["ReferenceGrant"]).await?;
    let answer = scene.get("http://shop.test/").await?;
    ensure!(answer.status == 503, "without a grant: {}", answer.status);
    scene.deployment_is_at("shop", 0).await?;

    let grant = reference_grant("routes", "HTTPRoute", &routes);
    scene.apply(&[grant]).await?;
    from_zero_and_back(&scene, "shop", "http://shop.test/").await?;
    scene.finish().await
}
