//! Several control planes on a cluster: one that loses its way to the API server says so, one alone writes, and a
//! rollout of both daemons scales nothing that is busy.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{
    Cluster, ClusterOptions, Kind, Replica, SOON, Scene, WAKE, Wakegate, WakegateOptions,
};
use wakegate_e2e::{Conduct, eventually, eventually_is};

use crate::cycle::{QUICK, from_zero_and_back, host, routed, url, was_held};

const N_HELD: usize = 20;
/// Between two requests of steady traffic.
const APART: Duration = Duration::from_millis(20);
/// It waits for 15 s before it says so.
const SAYS_SO: Duration = Duration::from_secs(45);
/// The Lease is released, and looked at every 2 s; who was cut off lets it run out.
const NEW_LEADER: Duration = Duration::from_secs(40);
/// Longer than any rollout here.
const EVER: Duration = Duration::from_mins(10);
const LEADER: &str = "wakegate_control_plane_leader";
const WRITES: &str = "wakegate_control_plane_writes_total";
const FILTERS: &str = "wakegate_control_plane_subscribers{role=\"filter\"}";

#[tokio::test]
async fn one_that_lost_its_watches_is_not_ready_and_says_so_until_they_are_back() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let options = WakegateOptions {
        n_control_planes: 2,
        is_relayed: true,
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let scene = shop(&cluster, &wakegate, "lost_watches").await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    let leader = leader(&wakegate).await?;
    for number in [1 - leader, leader] {
        let (replica, way) = (
            wakegate.control_plane(number)?,
            wakegate.way_to_api_server(number)?,
        );
        let n_filters = replica.counted(FILTERS).await?;
        way.conduct(Conduct::Cut);
        let text = eventually(SAYS_SO, "it is not ready", async || {
            let answer = replica.ask("/ready").await.ok()?;
            (answer.status == 503).then(|| answer.text())
        })
        .await?;
        scene.note(&format!("control plane {number} says: {text}"));
        ensure!(
            text.starts_with("out of reach at the API server, since "),
            "{text}"
        );
        names_kinds(replica).await?;
        // It serves what it knows to whoever is there.
        let now = replica.counted(FILTERS).await?;
        ensure!(
            (now - n_filters).abs() < 0.5,
            "{n_filters} filters, now {now}"
        );
        if number == leader {
            let other = wakegate.control_plane(1 - leader)?;
            let leads = async || other.counted(LEADER).await;
            eventually_is(NEW_LEADER, "the other one leads", 1.0, leads).await?;
        }
        way.conduct(Conduct::Pass);
        replica.ready().await?;
        let lost = "wakegate_control_plane_out_of_reach";
        eventually_is(SOON, lost, 0.0, async || replica.counted(lost).await).await?;
        scene.note(&format!("control plane {number} is ready again"));
    }
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await?;
    cluster.finish()
}

/// Its text and its metric name what it cannot read.
async fn names_kinds(replica: &Replica) -> Result<()> {
    for kind in [
        "Service",
        "EndpointSlice",
        "HTTPRoute",
        "ScaledObject",
        "Lease",
    ] {
        eventually(SOON, kind, async || {
            let answer = replica.ask("/ready").await.ok()?;
            answer.text().contains(kind).then_some(())
        })
        .await?;
        let lost = format!("wakegate_control_plane_out_of_reach{{kind=\"{kind}\"}}");
        eventually_is(SOON, &lost, 1.0, async || replica.counted(&lost).await).await?;
    }
    Ok(())
}

#[tokio::test]
async fn both_daemons_are_replaced_while_one_workload_is_busy_and_another_is_woken() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let options = WakegateOptions {
        n_control_planes: 2,
        n_scalers: 2,
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let settings = [("scale-to-zero", "true"), ("cooldown", "5s")];
    let [deployment, service, route] = routed("busy", &settings);
    let busy = [deployment.set("/replicas", json!(1))?, service, route];
    let objects = [&[gateway("edge")], &busy[..], &routed("cold", &QUICK)].concat();
    let mut scene = Scene::open(&cluster, &wakegate, &["rollout"]).await?;
    scene.set(&objects, &["busy", "cold"].map(host)).await?;
    let written = [
        content(&scene.scaled_object("busy").await?),
        content(&scene.scaled_object("cold").await?),
    ];
    let connection = H2::open(scene.envoy()?.address()).await?;
    let answer = read(connection.send(get(&url("busy"))?).await?).await?;
    ensure!(answer.status == 200, "{}", answer.status);
    scene.deployment_is_at("busy", 1).await?;
    // Who follows writes nothing.
    let follower = wakegate.control_plane(1 - leader(&wakegate).await?)?;
    let n_writes = follower.counted(WRITES).await?;
    ensure!(n_writes < 0.5, "who follows wrote {n_writes} times");

    let is_busy = |object: Option<&Value>| {
        let replicas = object.and_then(|it| it.pointer("/spec/replicas")?.as_u64());
        replicas.is_some_and(|n| n > 0)
    };
    let app = (Kind::DEPLOYMENT, "busy");
    let never_at_zero = scene.object_throughout(app, "is never at zero", EVER, is_busy);
    let names = ["busy", "cold"];
    let same = names.iter().zip(&written).map(async |(name, written)| {
        let name = scene.scaled_object_name(name).await?;
        let is_same = |object: Option<&Value>| object.map(content).as_ref() == Some(written);
        let object = (Kind::SCALED_OBJECT, name.as_str());
        scene
            .object_throughout(object, "is not written anew", EVER, is_same)
            .await
    });
    let traffic = async {
        let mut ticks = time::interval(APART);
        loop {
            ticks.tick().await;
            let answer = read(connection.send(get(&url("busy"))?).await?).await?;
            ensure!(answer.status == 200, "busy: {}", answer.status);
        }
    };
    let never: Result<()> = tokio::select! {
        ended = never_at_zero => ended,
        ended = try_join_all(same) => ended.map(drop),
        ended = traffic => ended,
        rolled = roll(&cluster, &wakegate, &scene) => {
            rolled?;
            scene.finish().await?;
            return cluster.finish();
        }
    };
    never.and_then(|()| anyhow::bail!("the rollout took longer than {EVER:?}"))
}

/// KEDA has one connection to the scaler, and its streams never end by themselves.
#[tokio::test]
async fn streams_and_connections_that_grow_old_keep_nobody_from_being_woken() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let options = WakegateOptions {
        n_control_planes: 2,
        flags: &["--max-stream-age-secs=2"],
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let scene = shop(&cluster, &wakegate, "old_streams").await?;
    for _ in 0..3 {
        from_zero_and_back(&scene, "shop", &url("shop")).await?;
    }
    let streams = "wakegate_scaler_streams{rpc=\"StreamIsActive\"}";
    let listens = async || wakegate.scaler().counted(streams).await;
    eventually_is(SOON, "streams of KEDA", 1.0, listens).await?;
    scene.finish().await?;
    cluster.finish()
}

/// One daemon after the other; while each of them is away requests are held, and woken for when it is back.
async fn roll(cluster: &Cluster, wakegate: &Wakegate, scene: &Scene<'_>) -> Result<()> {
    for replica in wakegate.all() {
        scene.is_asleep(&url("cold")).await?;
        replica.terminate().await?;
        let connection = H2::open(scene.envoy()?.address()).await?;
        let requests = (0..N_HELD).map(|_| Ok(connection.send(get(&url("cold"))?)));
        let requests = requests.collect::<Result<Vec<_>>>()?;
        replica.start(cluster).await?;
        replica.ready().await?;
        scene.note("a daemon was replaced");
        let answers = requests.into_iter();
        let answers = answers.map(async |request| was_held(&read(request.await?).await?));
        let answered = time::timeout(WAKE, try_join_all(answers)).await;
        answered.context("all are answered in time")??;
        scene.deployment_is_at("cold", 0).await?;
    }
    Ok(())
}

/// What is another when an object is written with other content, or deleted and made anew. KEDA adds to it, so that
/// its generation says nothing.
fn content(object: &Value) -> (Value, Value) {
    let field = |path| object.pointer(path).cloned().unwrap_or_default();
    let applied = "/metadata/annotations/wakegate.dev~1applied";
    (field("/metadata/uid"), field(applied))
}

/// One app at zero.
async fn shop<'a>(cluster: &'a Cluster, wakegate: &'a Wakegate, test: &str) -> Result<Scene<'a>> {
    let objects = [&[gateway("edge")], &routed("shop", &QUICK)[..]].concat();
    let mut scene = Scene::open(cluster, wakegate, &[test]).await?;
    scene.set(&objects, &["shop"].map(host)).await?;
    scene.scaled_object("shop").await?;
    Ok(scene)
}

/// The number of the one that leads.
async fn leader(wakegate: &Wakegate) -> Result<usize> {
    let leads = async |replica: &Replica| Some(replica.counted(LEADER).await.ok()? > 0.5);
    eventually(SOON, "someone leads", async || {
        for (number, replica) in wakegate.control_planes().iter().enumerate() {
            if leads(replica).await? {
                return Some(number);
            }
        }
        None
    })
    .await
}
