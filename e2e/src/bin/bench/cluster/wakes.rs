//! A request to a Deployment at zero: when KEDA has written `/scale`, when the pod is Ready, when the answer is
//! there. What is written is seen by a watch, as the control plane sees it.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Resource};
use kube::runtime::watcher::{Config, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::{time, try_join};
use wakegate_e2e::kube::objects::{deployment, gateway, http_route, service};
use wakegate_e2e::kube::{Host, Scene};
use wakegate_e2e::stats::Times;

use super::{PART, millis};
use crate::line::Line;

/// Each wakes again when it is back at zero, which takes a while: several share that wait. They are woken one
/// after the other, so that none is measured beside another.
const N_WORKLOADS: usize = 5;

/// Far beyond what a wake takes.
const LIMIT: Duration = Duration::from_secs(30);

/// One wake, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// From the request to the `/scale` that KEDA has written.
    scale: f64,
    /// From the request to the answer.
    response: f64,
    /// From the pod's Ready to the answer.
    from_ready: f64,
}

pub(super) async fn measure(n_wakes: usize) -> Result<Vec<Line>> {
    let names: Vec<_> = (0..N_WORKLOADS).map(|at| format!("app-{at}")).collect();
    let ours = [("scale-to-zero", "true"), ("cooldown", "1s")];
    let objects = names.iter().flat_map(|name| {
        let host = format!("{name}.test");
        let route = http_route(name, "edge", &host, name).annotated(&ours);
        [deployment(name, &[]), service(name), route]
    });
    let objects: Vec<_> = [gateway("edge")].into_iter().chain(objects).collect();
    let hosts: Vec<_> = names
        .iter()
        .map(|name| Host::new(&format!("{name}.test"), &format!("{name}/80")))
        .collect();
    let scene = Scene::shared("bench_wakes", &objects, &hosts).await?;
    try_join_all(names.iter().map(|name| scene.scaled_object(name))).await?;
    let mut samples = Vec::new();
    for name in names.iter().cycle().take(n_wakes) {
        scene.deployment_is_at(name, 0).await?;
        samples.push(wake(&scene, name).await?);
    }
    scene.finish().await?;
    let line = |what: &str, of: fn(&Sample) -> f64| {
        let times = Times::of(samples.iter().map(of).collect());
        Line::new(PART, what).times(&times)
    };
    Ok(vec![
        line("request at zero → KEDA has written `/scale`", |it| {
            it.scale
        }),
        line("request at zero → first byte", |it| it.response),
        line("pod Ready → first byte", |it| it.from_ready),
    ])
}

async fn wake(scene: &Scene<'_>, name: &str) -> Result<Sample> {
    let (client, namespace) = (scene.client(), scene.namespace()?);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let of_deployment = Config::default().fields(&format!("metadata.name={name}"));
    let of_pods = Config::default().labels(&format!("app={name}"));
    let (watching, mut watched) = tokio::sync::watch::channel(false);
    let scaled = seen(deployments, of_deployment, |object| {
        // The first look, at zero, means that the watch is open.
        watching.send_replace(true);
        let replicas = object.spec.as_ref().and_then(|spec| spec.replicas);
        replicas.is_some_and(|replicas| replicas > 0)
    });
    let ready = seen(pods, of_pods, is_ready);
    let ask = async {
        watched.wait_for(|is_open| *is_open).await?;
        let asked = Instant::now();
        let answer = scene.get(&format!("http://{name}.test/")).await?;
        let answered = Instant::now();
        ensure!(answer.status == 200, "answered with {}", answer.status);
        Ok((asked, answered))
    };
    let all = async { try_join!(scaled, ready, ask) };
    let (scaled, ready, (asked, answered)) =
        time::timeout(LIMIT, all).await.context("a wake")??;
    Ok(Sample {
        scale: millis(asked, scaled),
        response: millis(asked, answered),
        from_ready: millis(ready, answered),
    })
}

/// When a watch brought the first object that is so.
async fn seen<K>(api: Api<K>, config: Config, is_so: impl Fn(&K) -> bool) -> Result<Instant>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = Box::pin(watcher(api, config));
    while let Some(event) = events.next().await {
        let (Event::Apply(object) | Event::InitApply(object)) = event? else {
            continue;
        };
        let now = Instant::now();
        if is_so(&object) {
            return Ok(now);
        }
    }
    anyhow::bail!("the watch ended")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.any(|it| it.type_ == "Ready" && it.status == "True")
}
