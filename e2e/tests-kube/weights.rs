//! A rule with two backends, one asleep: what Envoy picks the ready one for passes, what it picks the other for
//! waits and wakes it.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::kube::objects::{Object, deployment, gateway, http_route, service};
use wakegate_e2e::kube::{Host, SOON, Scene};
use wakegate_e2e::{eventually, eventually_is};

use crate::cycle::{quick, url, woken_by_keda};

const N_REQUESTS: usize = 40;
/// A sure sign, with half of the requests for each.
const SOME: usize = 5;

#[tokio::test]
async fn of_two_backends_the_one_that_is_picked_decides() -> Result<()> {
    let host = Host::split("shop.test", &["stable/80", "canary/80"]);
    let scene = Scene::shared("weights", &objects()?, &[host]).await?;
    for name in ["stable", "canary"] {
        scene.scaled_object(name).await?;
    }
    let envoy = scene.envoy()?;
    let name = format!("{}/stable/80", scene.namespace()?);
    let n_hosts = async || envoy.admin().n_healthy(&name).await;
    eventually_is(SOON, "endpoints of the ready one", 1, n_hosts).await?;

    let connection = H2::open(envoy.address()).await?;
    let requests = (0..N_REQUESTS).map(|_| Ok(connection.send(get(&url("shop"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let answers = requests.into_iter();
    let answers = try_join_all(answers.map(async |it| read(it.await?).await)).await?;
    for answer in &answers {
        let status = answer.status;
        ensure!(status == 200, "answered with {status}: {}", answer.text());
    }
    let n_held = answers
        .iter()
        .filter(|answer| answer.header("x-wakegate-cold-start") == "true")
        .count();
    ensure!(
        (SOME..=N_REQUESTS - SOME).contains(&n_held),
        "{n_held} of {N_REQUESTS} were held"
    );
    the_others_were_held(&scene).await?;
    woken_by_keda(&scene, "canary").await?;
    scene.finish().await
}

/// One route to two workloads, one of which runs.
fn objects() -> Result<[Object; 6]> {
    let backend = |name: &str| json!({ "name": name, "port": 80, "weight": 1 });
    let route = http_route("shop", "edge", "shop.test", "stable")
        .annotated(&quick(&[("cooldown", "60s")]))
        .set(
            "/rules/0/backendRefs",
            json!([backend("stable"), backend("canary")]),
        )?;
    Ok([
        gateway("edge"),
        deployment("stable", &[]).set("/replicas", json!(1))?,
        service("stable"),
        deployment("canary", &[]),
        service("canary"),
        route,
    ])
}

/// All that the ready pod answered had passed at once, and all others had not.
async fn the_others_were_held(scene: &Scene<'_>) -> Result<()> {
    let pod = [
        "get",
        "pods",
        "--selector=app=stable",
        "--output=jsonpath={.items[0].status.podIP}",
    ];
    let stable = scene.kubectl(&pod).await?;
    let ended = async || {
        let entries = scene.envoy().ok()?.access_log().ok()?;
        (entries.len() == N_REQUESTS).then_some(entries)
    };
    for entry in eventually(SOON, "all are in the access log", ended).await? {
        let upstream = entry.get("upstream").and_then(Value::as_str);
        let is_stable = upstream.is_some_and(|upstream| upstream.starts_with(&stable));
        let was_held = entry.get("held_ms").is_some_and(|held| !held.is_null());
        ensure!(was_held != is_stable, "{stable} is the ready one: {entry}");
    }
    Ok(())
}
