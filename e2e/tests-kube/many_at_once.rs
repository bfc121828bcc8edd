//! Many workloads: woken together, and stuck beside one that is not.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use wakegate_e2e::client::{H2, get};
use wakegate_e2e::kube::objects::{Object, gateway};
use wakegate_e2e::kube::{
    Cluster, ClusterOptions, Kind, SOON, Scene, WAKE, Wakegate, WakegateOptions,
};

use crate::cycle::{QUICK, host, quick, routed, url, was_held};

const N_TOGETHER: usize = 20;
const N_STUCK: usize = 60;
/// What others may cost.
const NEAR: Duration = Duration::from_millis(50);
/// Three times KEDA's polling interval: for the window of activity, and until KEDA asks.
const TO_REST: Duration = Duration::from_secs(45);
/// Longer than all wakes beside them take.
const LONG_HOLD: (&str, &str) = ("hold-timeout", "3m");
/// Wakes that are compared.
const N_WAKES: usize = 3;

#[tokio::test]
async fn twenty_workloads_are_woken_together() -> Result<()> {
    let names: Vec<_> = (0..N_TOGETHER).map(|n| format!("app-{n}")).collect();
    let apps = names.iter().flat_map(|name| routed(name, &QUICK));
    let objects: Vec<_> = [gateway("edge")].into_iter().chain(apps).collect();
    let hosts: Vec<_> = names.iter().map(|name| host(name)).collect();
    let scene = Scene::shared("twenty_together", &objects, &hosts).await?;
    for name in &names {
        scene.scaled_object(name).await?;
    }
    scene.note("all ScaledObjects are there");
    let wakes = names
        .iter()
        .map(async |name| was_held(&scene.get(&url(name)).await?));
    try_join_all(wakes).await?;
    scene.note("all are awake");
    let sleeps = names.iter().map(|name| scene.deployment_is_at(name, 0));
    try_join_all(sleeps).await?;
    scene.finish().await
}

#[tokio::test]
async fn sixty_that_are_stuck_do_not_slow_down_another() -> Result<()> {
    let names: Vec<_> = (0..N_STUCK).map(|n| format!("stuck-{n}")).collect();
    let hosts = names.iter().map(|name| host(name));
    let hosts: Vec<_> = hosts.chain([host("shop")]).collect();
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    // KEDA asks as often as it does where Wakegate is installed: to ask each of them every second, as in other
    // tests, takes most of a small machine, and that is what one would see.
    let options = WakegateOptions {
        polling_interval: None,
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["sixty_stuck"]).await?;
    scene.set(&one_and_stuck(&names)?, &hosts).await?;
    for name in names.iter().map(String::as_str).chain(["shop"]) {
        scene.scaled_object(name).await?;
    }
    scene.note("all ScaledObjects are there");
    // With three other tests on the machine, what is usual has a spread of its own.
    let (_, alone) = wakes(&scene).await?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let requests = names
        .iter()
        .map(|name| Ok(connection.send(get(&url(name))?)));
    let held = requests.collect::<Result<Vec<_>>>()?;
    for name in &names {
        let stuck = (Kind::DEPLOYMENT, name.as_str());
        scene
            .object_within(stuck, "is told to start", WAKE, is_told_to_start)
            .await?;
    }
    scene.note("sixty are stuck");
    let (beside, _) = wakes(&scene).await?;
    scene.note(&format!("alone {alone:?}, beside the stuck {beside:?}"));
    ensure!(
        beside < alone + NEAR,
        "{alone:?} alone, {beside:?} beside {N_STUCK} that are stuck"
    );
    scene.envoy()?.held_is(N_STUCK, SOON).await?;
    drop(held);
    scene.finish().await?;
    cluster.finish()
}

/// An app that starts, and those that never do.
fn one_and_stuck(names: &[String]) -> Result<Vec<Object>> {
    let mut objects = vec![gateway("edge")];
    objects.extend(routed("shop", &QUICK));
    for name in names {
        let [deployment, service, route] = routed(name, &quick(&[LONG_HOLD]));
        // No node has so much: its pods wait for ever.
        let cpu = json!({ "cpu": "4000" });
        let requests = "/template/spec/containers/0/resources/requests";
        objects.extend([deployment.set(requests, cpu)?, service, route]);
    }
    Ok(objects)
}

fn is_told_to_start(object: Option<&Value>) -> Option<()> {
    let replicas = object?.pointer("/spec/replicas")?.as_u64();
    (replicas == Some(1)).then_some(())
}

/// The shortest and the longest of a few times from a request at zero to replicas that are asked for.
async fn wakes(scene: &Scene<'_>) -> Result<(Duration, Duration)> {
    let (mut shortest, mut longest) = (Duration::MAX, Duration::ZERO);
    for _ in 0..N_WAKES {
        rests(scene).await?;
        let began = Instant::now();
        let url = url("shop");
        let woken = async {
            let look = |object: Option<&Value>| is_told_to_start(object).map(|()| began.elapsed());
            let what = "is told to start";
            scene.object(Kind::DEPLOYMENT, "shop", what, look).await
        };
        let (answer, took) = tokio::try_join!(scene.get(&url), woken)?;
        was_held(&answer)?;
        scene.note(&format!("woken after {took:?}"));
        (shortest, longest) = (shortest.min(took), longest.max(took));
    }
    Ok((shortest, longest))
}

/// Waits until the app sleeps, and KEDA has written that it does. Until then KEDA is busy with it, or still
/// sees the replica that it has just taken away, and looks again only when it is told again, a second later.
async fn rests(scene: &Scene<'_>) -> Result<()> {
    let shop = (Kind::DEPLOYMENT, "shop");
    scene.is_at_within(shop, 0, TO_REST).await?;
    scene.is_asleep(&url("shop")).await?;
    let look = |object: Option<&Value>| {
        let conditions = object?.pointer("/status/conditions")?.as_array()?;
        // While it cools down the reason is another.
        let is_it = |it: &&Value| {
            it.pointer("/type").is_some_and(|it| it == "Active")
                && it
                    .pointer("/reason")
                    .is_some_and(|it| it == "ScalerNotActive")
        };
        conditions.iter().find(is_it).map(drop)
    };
    let shop = (Kind::SCALED_OBJECT, "shop");
    scene
        .object_within(shop, "is inactive", TO_REST, look)
        .await
}
