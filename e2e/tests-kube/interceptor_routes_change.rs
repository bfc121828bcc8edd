//! Who changes or deletes an `InterceptorRoute` has other requests held, or none, at once.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::objects::{deployment, interceptor_route, service};
use wakegate_e2e::kube::{Host, SOON, Scene};

/// From a change to a filter that goes by it, and a second for what was held before.
const CHANGED_IN: Duration = Duration::from_secs(2);
/// Held to the limit.
const HELD: u16 = 504;
/// Envoy's own answer where there is no endpoint.
const NOT_HELD: u16 = 503;

#[tokio::test]
async fn other_hosts_are_held_and_then_none() -> Result<()> {
    let route = interceptor_route("shop", "old.test", "shop");
    let objects = [
        deployment("shop", &[]),
        service("shop"),
        route.set("/timeouts", json!({ "readiness": "1s" }))?,
    ];
    let hosts = ["old.test", "new.test"].map(|host| Host::new(host, "shop/80"));
    let scene = Scene::shared("changed_route", &objects, &hosts).await?;
    is_answered(&scene, "old", HELD, SOON).await?;
    is_answered(&scene, "new", NOT_HELD, CHANGED_IN).await?;

    let rules = json!({ "spec": { "rules": [ { "hosts": ["new.test"] } ] } }).to_string();
    let patch = [
        "patch",
        "interceptorroute",
        "shop",
        "--type=merge",
        "--patch",
        &rules,
    ];
    scene.kubectl(&patch).await?;
    is_answered(&scene, "new", HELD, CHANGED_IN).await?;
    is_answered(&scene, "old", NOT_HELD, CHANGED_IN).await?;

    let delete = ["delete", "interceptorroute", "shop", "--wait=false"];
    scene.kubectl(&delete).await?;
    is_answered(&scene, "new", NOT_HELD, CHANGED_IN).await?;
    scene.finish().await
}

async fn is_answered(scene: &Scene<'_>, host: &str, status: u16, within: Duration) -> Result<()> {
    let url = format!("http://{host}.test/");
    let look = async || Ok(scene.get(&url).await?.status);
    eventually_is(within, &url, status, look).await
}
