//! A static route of an `InterceptorRoute` answers its requests without the workload, and wakes nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time;
use wakegate_e2e::Background;
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::{SOON, Scene};

use crate::add_on::{is_ready, routed, wakes};
use crate::cycle::{host, url};

/// Longer than the scaler's time to idle and KEDA's interval, had a request been counted.
const A_WHILE: Duration = Duration::from_secs(4);
const HEALTH: &str = "http://shop.test/health/deep";
const ROBOTS: &str = "http://shop.test/robots.txt";

#[tokio::test]
async fn it_answers_always_or_while_the_workload_sleeps() -> Result<()> {
    let static_routes = json!([
        {
            "rules": [ { "paths": [ { "value": "/health" } ] } ],
            "response": { "body": "asleep", "headers": { "x-from": "static" } },
        },
        {
            "rules": [ { "paths": [ { "value": "/robots.txt" } ] }, { "headers": [ { "name": "x-robot" } ] } ],
            "response": { "statusCode": 403, "body": "go away" },
            "responseMode": "Always",
        },
    ]);
    let [deployment, service, route, scaled] = routed("shop").await?;
    let route = route.set("/staticRoutes", static_routes)?;
    let objects = [deployment, service, route, scaled];
    let scene = Scene::shared("static_routes", &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;

    let load = asks(&scene, &[HEALTH, ROBOTS])?;
    is_answered(&scene, HEALTH, 200, "asleep").await?;
    is_answered(&scene, ROBOTS, 403, "go away").await?;
    let mut robot = get(&url("shop"))?;
    robot.headers_mut().insert("x-robot", "1".parse()?);
    let robot = fetch(Version::H1, scene.envoy()?.address(), robot).await?;
    ensure!(robot.status == 403, "a robot gets {robot:?}");
    scene.deployment_stays_at("shop", 0, A_WHILE).await?;
    drop(load);

    wakes(&scene, "shop", &url("shop")).await?;
    let look = async || {
        let answer = scene.get(HEALTH).await?;
        Ok(answer.json()?.get("path").cloned())
    };
    let path = Some(json!("/health/deep"));
    eventually_is(SOON, "the path that the app was asked for", path, look).await?;
    is_answered(&scene, ROBOTS, 403, "go away").await?;
    // It keeps nothing awake either.
    let load = asks(&scene, &[ROBOTS])?;
    scene.deployment_is_at("shop", 0).await?;
    drop(load);
    scene.is_asleep(&url("shop")).await?;
    is_answered(&scene, HEALTH, 200, "asleep").await?;
    scene.finish().await
}

/// Asks for each of them ten times a second.
fn asks(scene: &Scene<'_>, urls: &[&'static str]) -> Result<Background> {
    let (address, urls) = (scene.envoy()?.address(), urls.to_vec());
    Ok(Background::start(async move {
        let mut next = time::interval(Duration::from_millis(100));
        loop {
            next.tick().await;
            for request in urls.iter().flat_map(|url| get(url)) {
                // What comes back is asked for elsewhere.
                drop(fetch(Version::H1, address, request).await);
            }
        }
    }))
}

async fn is_answered(scene: &Scene<'_>, url: &str, status: u16, body: &str) -> Result<()> {
    let answer = scene.get(url).await?;
    ensure!(
        answer.status == status
            && answer.text() == body
            && answer.header("x-keda-http-cold-start").is_empty(),
        "{url} is answered with {answer:?}"
    );
    Ok(())
}
