//! Health checks every 5 s keep nothing awake and wake nothing.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::{HeaderValue, Uri};
use tokio::time::{self, Instant, Interval};
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::kube::Scene;
use wakegate_e2e::kube::objects::gateway;

use crate::cycle::{QUICK, from_zero_and_back, host, routed};

const APART: Duration = Duration::from_secs(5);
/// Together longer than KEDA takes to see an activity: it polls each second.
const N_CHECKS_AT_ZERO: u32 = 2;

#[tokio::test]
async fn health_checks_keep_nothing_awake_and_wake_nothing() -> Result<()> {
    let objects = routed("shop", &QUICK);
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("health_checks", &objects, &[host("shop")]).await?;
    let mut checks = time::interval(APART);
    let cycle = from_zero_and_back(&scene, "shop", "http://shop.test/");
    tokio::select! {
        ended = cycle => ended.context("with health checks all the time")?,
        ended = keep_checking(&scene, &mut checks) => match ended? {},
    }
    let asleep = Instant::now();
    for _ in 0..N_CHECKS_AT_ZERO {
        checks.tick().await;
        check(&scene).await?;
    }
    scene.deployment_is_at("shop", 0).await?;
    let events = ["get", "events", "--output=jsonpath={.items[*].reason}"];
    let reasons = scene.kubectl(&events).await?;
    let n_wakes = reasons.matches("KEDAScaleTargetActivated").count();
    ensure!(
        n_wakes == 1,
        "woken {n_wakes} times, in the {:?} asleep as well: {reasons}",
        asleep.elapsed()
    );
    scene.finish().await
}

async fn keep_checking(scene: &Scene<'_>, checks: &mut Interval) -> Result<Infallible> {
    loop {
        checks.tick().await;
        check(scene).await?;
    }
}

async fn check(scene: &Scene<'_>) -> Result<()> {
    let mut request = get("http://shop.test/")?;
    *request.uri_mut() = Uri::from_static("http://shop.test/healthz");
    let agent = HeaderValue::from_static("kube-probe/1.36");
    request.headers_mut().insert("user-agent", agent);
    let answer = fetch(Version::H1, scene.envoy()?.address(), request).await?;
    ensure!(answer.status == 200, "a check: {}", answer.status);
    Ok(())
}
