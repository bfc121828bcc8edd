//! The replicas of a workload that has an `InterceptorRoute` follow what is under way, how many requests come, or
//! both, by the real HPA.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::{self, MissedTickBehavior};
use wakegate_e2e::Background;
use wakegate_e2e::client::{H2, Version, fetch, get};
use wakegate_e2e::kube::{Kind, Scene};

use crate::add_on::{is_ready, passes, routed};
use crate::cycle::{host, url};

/// The HPA looks every 3 s, and 5 s must pass before it scales down.
const BY_HPA: Duration = Duration::from_mins(1);
const SHOP: (Kind, &str) = (Kind::DEPLOYMENT, "shop");

#[tokio::test]
async fn twenty_in_flight_at_a_target_of_five_are_four_replicas() -> Result<()> {
    let metric = json!({ "concurrency": { "targetValue": 5 } });
    let scene = Box::pin(started("route_concurrency", metric)).await?;
    follow_concurrency(&scene).await?;
    scene.finish().await
}

#[tokio::test]
async fn twenty_seven_a_second_at_a_target_of_ten_are_three_replicas() -> Result<()> {
    let metric = json!({ "requestRate": rate() });
    let scene = Box::pin(started("route_rate", metric)).await?;
    follow_rate(&scene).await?;
    scene.finish().await
}

/// Of the two that the HPA is told the larger counts.
#[tokio::test]
async fn of_two_metrics_each_counts() -> Result<()> {
    let metric = json!({ "concurrency": { "targetValue": 5 }, "requestRate": rate() });
    let scene = Box::pin(started("route_both", metric)).await?;
    follow_concurrency(&scene).await?;
    follow_rate(&scene).await?;
    scene.finish().await
}

fn rate() -> Value {
    json!({ "targetValue": 10, "window": "5s", "granularity": "1s" })
}

async fn started(test: &str, metric: Value) -> Result<Scene<'static>> {
    let [deployment, service, route, scaled] = routed("shop").await?;
    let route = route.set("/scalingMetric", metric)?;
    let objects = [deployment, service, route, scaled];
    let scene = Scene::shared(test, &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    Ok(scene)
}

/// Up by what is under way, and back to zero.
async fn follow_concurrency(scene: &Scene<'_>) -> Result<()> {
    let connection = H2::open(scene.envoy()?.address()).await?;
    let long = "http://shop.test/slow?ms=120000";
    let requests = (0..20).map(|_| Ok(connection.send(get(long)?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    scene.is_at_within(SHOP, 4, BY_HPA).await?;
    scene.note("four replicas");
    drop(requests);
    drop(connection);
    scene.is_at_within(SHOP, 0, BY_HPA).await?;
    scene.is_asleep(&url("shop")).await
}

/// Up by how many come, and back to zero.
async fn follow_rate(scene: &Scene<'_>) -> Result<()> {
    passes(scene, &url("shop")).await?;
    let address = scene.envoy()?.address();
    let mut load = Background::start(async move {
        let mut next = time::interval(Duration::from_secs(1) / 27);
        // What was missed would be a burst, and a fourth replica for a while.
        next.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while let Ok(request) = get(&url("shop")) {
            next.tick().await;
            match fetch(Version::H1, address, request).await {
                Ok(answer) if answer.status == 200 => {}
                // It ends early, which the test sees.
                Ok(_) | Err(_) => break,
            }
        }
    });
    scene.is_at_within(SHOP, 3, BY_HPA).await?;
    scene.note("three replicas");
    ensure!(!load.is_done(), "a request failed");
    drop(load);
    scene.is_at_within(SHOP, 0, BY_HPA).await
}
