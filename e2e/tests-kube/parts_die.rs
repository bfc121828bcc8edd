//! A part is down for a while: what is warm goes on, what is held waits, and nothing is scaled to zero.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{
    Cluster, ClusterOptions, Kind, Program, SOON, Scene, WAKE, WAKEGATE_NAMESPACE, Wakegate,
};
use wakegate_e2e::{eventually, eventually_is};

use crate::cycle::{
    QUICK, from_zero_and_back, host, hpa_asks_nothing, quick, routed, url, was_held,
};

const N_HELD: usize = 20;
/// How long the API server is away.
const OUTAGE: Duration = Duration::from_secs(30);
/// KEDA's watches come back up to a minute after an outage, and a minute later where they met an API server that was
/// not ready yet.
const AFTER_OUTAGE: Duration = Duration::from_secs(150);
/// Longer than both.
const LONG_HOLD: (&str, &str) = ("hold-timeout", "210s");
/// Between two requests of steady traffic.
const APART: Duration = Duration::from_millis(100);
/// Until KEDA listens again to a scaler that was killed.
const KEDA_IS_BACK: Duration = Duration::from_secs(10);
/// The Lease must run out first.
const NEW_LEADER: Duration = Duration::from_secs(40);
/// Whether a control plane writes.
const LEADER: &str = "wakegate_control_plane_leader";
/// For an Envoy that is unlucky three times.
const SECOND_CHOICE: Duration = Duration::from_secs(30);
/// How often it wrote a `ScaledObject`.
const OBJECTS_WRITTEN: &str =
    "wakegate_control_plane_writes_total{what=\"scaled_object\",outcome=\"done\"}";
/// How many streams KEDA has open.
const STREAMS: &str = "wakegate_scaler_streams{rpc=\"StreamIsActive\"}";

#[tokio::test]
async fn keda_restarts_while_requests_are_held() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let scene = shop(&cluster, &wakegate, "keda_restarts").await?;
    keda_listens(&wakegate, 1.0, SOON).await?;
    cluster.kill(Program::KedaOperator)?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let requests = (0..N_HELD).map(|_| Ok(connection.send(get(&url("shop"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    scene.envoy()?.held_is(N_HELD, SOON).await?;
    cluster.start_program(Program::KedaOperator).await?;
    scene.note("KEDA is back");
    let answers = requests.into_iter();
    let answers = answers.map(async |request| was_held(&read(request.await?).await?));
    time::timeout(WAKE, try_join_all(answers))
        .await
        .context("all are answered in time")??;
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn the_api_server_is_away_during_traffic_and_during_a_hold() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let names = ["warm", "cold"];
    let apps = names
        .iter()
        .flat_map(|name| routed(name, &quick(&[LONG_HOLD])));
    let objects: Vec<_> = [gateway("edge")].into_iter().chain(apps).collect();
    let mut scene = Scene::open(&cluster, &wakegate, &["api_server"]).await?;
    scene.set(&objects, &names.map(host)).await?;
    for name in names {
        scene.scaled_object(name).await?;
    }
    was_held(&scene.get(&url("warm")).await?)?;
    keda_listens(&wakegate, 2.0, SOON).await?;
    cluster.kill(Program::ApiServer)?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let cold = connection.send(get(&url("cold"))?);
    scene.envoy()?.held_is(1, SOON).await?;
    let mut next = time::interval(APART);
    let end = time::Instant::now() + OUTAGE;
    while next.tick().await < end {
        let answer = scene.get(&url("warm")).await?;
        ensure!(answer.status == 200, "while away: {}", answer.status);
    }
    cluster.start_program(Program::ApiServer).await?;
    // Where controllers elect a leader, this one has lost its Lease meanwhile and started anew. One that goes on
    // looks again up to a minute later, watch by watch.
    cluster.kill(Program::ControllerManager)?;
    cluster.start_program(Program::ControllerManager).await?;
    scene.note("the API server is back");
    let cold = time::timeout(AFTER_OUTAGE, cold)
        .await
        .context("it is woken")??;
    was_held(&read(cold).await?)?;
    scene.note("the held request is answered");
    for name in names {
        let app = (Kind::DEPLOYMENT, name);
        scene.is_at_within(app, 0, AFTER_OUTAGE).await?;
    }
    scene.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn the_leader_of_two_control_planes_dies() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 2).await?;
    let scene = shop(&cluster, &wakegate, "leader_dies").await?;
    let number = leader_number(&cluster).await?;
    wakegate.control_plane(number)?.kill().await?;
    scene.note(&format!("control plane {number} is dead"));
    // The other one knows what it needs to know already.
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    // And writes as soon as the Lease has run out.
    scene.apply(&routed("late", &QUICK)).await?;
    let has_object = async || {
        let names = ["get", "scaledobjects", "--output=name"];
        let names = scene.kubectl(&names).await.ok()?;
        (names.lines().count() == 2).then_some(())
    };
    eventually(NEW_LEADER, "the new leader writes", has_object).await?;
    let now = leader_number(&cluster).await?;
    ensure!(now != number, "{now} leads");
    from_zero_and_back(&scene, "late", &url("late")).await?;
    wakegate.control_plane(number)?.start(&cluster).await?;
    scene.finish().await?;
    cluster.finish()
}

/// It is stalled for longer than its Lease, and believes that it leads when it goes on, if it looks at no clock.
#[tokio::test]
async fn a_leader_that_was_stalled_writes_no_more() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let wakegate = Wakegate::start(&cluster, 2).await?;
    let scene = shop(&cluster, &wakegate, "leader_stalls").await?;
    let old = leader_number(&cluster).await?;
    let [stalled, other] = [old, 1 - old].map(|number| wakegate.control_plane(number));
    let (stalled, other) = (stalled?, other?);
    let written = async || stalled.counted(OBJECTS_WRITTEN).await;
    eventually_is(SOON, "writes of the first leader", 1.0, written).await?;
    stalled.pause().await?;
    scene.note("the leader is stalled");
    // Filters and scaler notice silence within 3 s, Envoy itself within 8 s, and each may meet the stalled one
    // again. Until then Envoy does not hear of the pod that it is to send the held request to.
    let works = async || was_held(&scene.get(&url("shop")).await.ok()?).ok();
    eventually(SECOND_CHOICE, "a request at zero is answered", works).await?;
    scene.deployment_is_at("shop", 0).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    let leads = async || other.counted(LEADER).await;
    eventually_is(NEW_LEADER, "the other one leads", 1.0, leads).await?;
    let more = "wakegate.dev/max-replicas=7";
    scene
        .kubectl(&["annotate", "httproute", "shop", more])
        .await?;
    has_most(&scene, 7).await?;

    stalled.resume().await?;
    let leaders = async || Ok(stalled.counted(LEADER).await? + other.counted(LEADER).await?);
    eventually_is(SOON, "leaders", 1.0, leaders).await?;
    scene.note("the old leader goes on");
    // Both see what is to be written.
    scene.apply(&routed("late", &QUICK)).await?;
    from_zero_and_back(&scene, "late", &url("late")).await?;
    ensure!(leads().await? > 0.0, "the other one leads no more");
    let n_written = written().await?;
    ensure!(n_written < 2.0, "the old leader wrote {n_written} times");
    has_most(&scene, 7).await?;
    scene.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn the_scaler_restarts() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    hpa_asks_nothing(&cluster)?;
    let wakegate = Wakegate::start(&cluster, 1).await?;
    // Its cooldown outlasts what comes before its request.
    let settings = [("scale-to-zero", "true"), ("cooldown", "8s")];
    let [deployment, service, route] = routed("warm", &settings);
    let warm = [deployment.set("/replicas", json!(1))?, service, route];
    let objects = [&[gateway("edge")], &warm[..], &routed("cold", &QUICK)].concat();
    let mut scene = Scene::open(&cluster, &wakegate, &["scaler_restarts"]).await?;
    scene.set(&objects, &["warm", "cold"].map(host)).await?;
    for name in ["warm", "cold"] {
        scene.scaled_object(name).await?;
    }
    // In use, by one request that lasts.
    let connection = H2::open(scene.envoy()?.address()).await?;
    let long = connection.send(get("http://warm.test/slow?ms=60000")?);
    keda_listens(&wakegate, 2.0, SOON).await?;
    scene.deployment_is_at("warm", 1).await?;
    wakegate.scaler().kill().await?;
    // KEDA has had to do without several times.
    scene
        .deployment_stays_at("warm", 1, Duration::from_secs(5))
        .await?;
    wakegate.scaler().start(&cluster).await?;
    scene.note("the scaler is back");
    keda_listens(&wakegate, 2.0, KEDA_IS_BACK).await?;
    was_held(&scene.get(&url("cold")).await?)?;
    scene
        .deployment_stays_at("warm", 1, Duration::from_secs(10))
        .await?;
    drop(long);
    for name in ["warm", "cold"] {
        scene.deployment_is_at(name, 0).await?;
    }
    scene.finish().await?;
    cluster.finish()
}

/// One app at zero, and routes in Envoy for one that comes later.
async fn shop<'a>(cluster: &'a Cluster, wakegate: &'a Wakegate, test: &str) -> Result<Scene<'a>> {
    let objects = [&[gateway("edge")], &routed("shop", &QUICK)[..]].concat();
    let mut scene = Scene::open(cluster, wakegate, &[test]).await?;
    scene.set(&objects, &["shop", "late"].map(host)).await?;
    scene.scaled_object("shop").await?;
    Ok(scene)
}

async fn keda_listens(wakegate: &Wakegate, n_streams: f64, deadline: Duration) -> Result<()> {
    let look = async || wakegate.scaler().counted(STREAMS).await;
    eventually_is(deadline, "streams of KEDA", n_streams, look).await
}

/// Waits until the app may have so many replicas.
async fn has_most(scene: &Scene<'_>, n_replicas: u64) -> Result<()> {
    let most = |object: Option<&Value>| {
        let most = object?.pointer("/spec/maxReplicaCount")?.as_u64()?;
        (most == n_replicas).then_some(())
    };
    let what = format!("has at most {n_replicas}");
    let kind = Kind::SCALED_OBJECT;
    scene.object(kind, "shop", &what, most).await
}

/// The number of the control plane that holds the Lease.
async fn leader_number(cluster: &Cluster) -> Result<usize> {
    let holder = "--output=jsonpath={.spec.holderIdentity}";
    let lease = ["get", "lease", "wakegate-control-plane", holder];
    let namespace = format!("--namespace={WAKEGATE_NAMESPACE}");
    let args = [&[namespace.as_str()], &lease[..]].concat();
    let look = async || {
        let holder = cluster.kubectl(&args, None).await.ok()?;
        holder.strip_prefix("control-plane-")?.parse().ok()
    };
    eventually(SOON, "someone leads", look).await
}
