//! An `InterceptorRoute` says how long its requests may wait for an endpoint, and how long they may take in all.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time::Instant;
use tokio::try_join;
use wakegate_e2e::client::Answer;
use wakegate_e2e::kube::Scene;
use wakegate_e2e::kube::objects::{Object, deployment, interceptor_route, service};

use crate::add_on::{is_ready, passes};
use crate::cycle::{host, url};

/// How much later than at its time-out a request may end on a busy machine.
const LATE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn what_waits_for_too_long_is_504() -> Result<()> {
    let times = json!({ "readiness": "1s" });
    let scene = started("readiness", times, deployment("shop", &[])).await?;
    is_504_in(&scene, &url("shop"), after(1)).await?;
    scene.finish().await
}

#[tokio::test]
async fn a_request_as_a_whole_may_wait_no_longer() -> Result<()> {
    let times = json!({ "readiness": "50s", "request": "2s" });
    let scene = started("request_time", times, deployment("shop", &[])).await?;
    is_504_in(&scene, &url("shop"), after(2)).await?;
    scene.finish().await
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_504() -> Result<()> {
    let times = json!({ "request": "2s" });
    let shop = deployment("shop", &[]).set("/replicas", json!(1))?;
    let scene = started("slow_answer", times, shop).await?;
    passes(&scene, &url("shop")).await?;
    is_504_in(&scene, "http://shop.test/slow?ms=30000", after(2)).await?;
    scene.finish().await
}

/// The app takes 4 s to start: were that not counted, the answer would come after 12 s.
#[tokio::test]
async fn the_wait_counts_for_a_slow_answer() -> Result<()> {
    let times = json!({ "request": "8s" });
    let shop = deployment("shop", &["--start-delay-ms=4000"]);
    let scene = started("wait_and_answer", times, shop).await?;
    let request = is_504_in(&scene, "http://shop.test/slow?ms=30000", after(8));
    // By hand: KEDA would take its own time.
    let wake = async {
        let scale = ["scale", "deployment", "shop", "--replicas=1"];
        scene.kubectl(&scale).await?;
        passes(&scene, &url("shop")).await
    };
    try_join!(request, wake)?;
    scene.finish().await
}

fn after(secs: u64) -> Range<Duration> {
    let limit = Duration::from_secs(secs);
    limit..limit + LATE
}

/// Nobody scales the workload.
async fn started(test: &str, times: serde_json::Value, shop: Object) -> Result<Scene<'static>> {
    let route = interceptor_route("shop", "shop.test", "shop").set("/timeouts", times)?;
    let objects = [shop, service("shop"), route];
    let scene = Scene::shared(test, &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    Ok(scene)
}

async fn is_504_in(scene: &Scene<'_>, url: &str, times: Range<Duration>) -> Result<Answer> {
    let began = Instant::now();
    let answer = scene.get(url).await?;
    let took = began.elapsed();
    ensure!(
        answer.status == 504 && times.contains(&took),
        "answered with {} after {took:?}: {}",
        answer.status,
        answer.text()
    );
    Ok(answer)
}
