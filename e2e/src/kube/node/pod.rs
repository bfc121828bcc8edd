//! One pod, from the moment that it is ours until the API server has forgotten it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::{Api, DeleteParams, Patch, PatchParams};
use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::container::{self, State};
use super::image::Image;
use super::network::Network;
use super::status::Status;
use super::{PAUSE, Shared, addresses, insist};

/// What a pod gets to end when it does not say.
const GRACE: Duration = Duration::from_secs(30);

type Told = watch::Receiver<Option<Arc<Pod>>>;

/// Runs a pod.
pub(super) async fn run(shared: Arc<Shared>, mut told: Told) {
    let Some(pod) = told.borrow_and_update().clone() else {
        return;
    };
    let (address, place) = loop {
        match place(&shared, &pod).await {
            Ok(placed) => break placed,
            Err(error) => tracing::warn!(%error, "node: no address for a pod"),
        }
        time::sleep(PAUSE).await;
    };
    let network = match &place {
        Place::Here => None,
        Place::Own(network) => Some(Arc::clone(network)),
    };
    run_at(&shared, &pod, (address, network), &mut told).await;
    let is_gone = match place {
        Place::Here => addresses::remove(address).await.is_ok(),
        Place::Own(_) => true,
    };
    if is_gone {
        shared.addresses.give_back(address);
    }
}

/// Where a pod's address is.
enum Place {
    /// On the loopback device, beside others.
    Here,
    Own(Arc<Network>),
}

/// Gives a pod its address: in a network of its own, where its programs have a file system of their own.
async fn place(shared: &Shared, pod: &Pod) -> Result<(Ipv4Addr, Place)> {
    let specs = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut images = specs.filter_map(|spec| Image::find(spec.image.as_deref()?)?.ok());
    let address = shared.addresses.take()?;
    let place = if images.any(|image| image.has_root) {
        Place::Own(Arc::new(Network::new(address).await?))
    } else {
        addresses::put(address).await?;
        Place::Here
    };
    Ok((address, place))
}

async fn run_at(
    shared: &Arc<Shared>,
    pod: &Arc<Pod>,
    (address, network): (Ipv4Addr, Option<Arc<Network>>),
    told: &mut Told,
) {
    let stop = CancellationToken::new();
    let mut containers = JoinSet::new();
    let (tell, mut states) = watch::channel(Vec::new());
    let specs = pod.spec.iter().flat_map(|spec| &spec.containers);
    for (at, spec) in specs.enumerate() {
        tell.send_modify(|states| states.push(State::default()));
        let tell = tell.clone();
        let run = container::Run {
            pod: Arc::clone(pod),
            spec: spec.clone(),
            address,
            shared: Arc::clone(shared),
            network: network.clone(),
            grace: grace(pod),
            stop: stop.clone(),
            tell: Box::new(move |state| {
                tell.send_modify(|states| {
                    if let Some(place) = states.get_mut(at) {
                        *place = state;
                    }
                });
            }),
        };
        containers.spawn(run.run());
    }
    drop(tell);
    let mut written = Status::new(pod, address);
    loop {
        let is_ending = match told.borrow_and_update().as_ref() {
            None => return,
            Some(now) => now.metadata.deletion_timestamp.is_some(),
        };
        if is_ending {
            stop.cancel();
        }
        let now = states.borrow_and_update().clone();
        if let Some(patch) = written.update(&now, is_ending) {
            write(shared, pod, patch).await;
        }
        if is_ending && containers.is_empty() {
            return forget(shared, pod).await;
        }
        tokio::select! {
            changed = told.changed() => if changed.is_err() { return },
            Ok(()) = states.changed() => {}
            Some(_) = containers.join_next() => {}
        }
    }
}

async fn write(shared: &Shared, pod: &Pod, status: serde_json::Value) {
    let (pods, name) = api(shared, pod);
    let patch = Patch::Merge(json!({ "status": status }));
    let params = PatchParams::default();
    insist(|| async { pods.patch_status(&name, &params, &patch).await.map(drop) }).await;
}

async fn forget(shared: &Shared, pod: &Pod) {
    let (pods, name) = api(shared, pod);
    let params = DeleteParams::default().grace_period(0);
    let params = DeleteParams {
        preconditions: Some(kube::api::Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        }),
        ..params
    };
    insist(|| async { pods.delete(&name, &params).await.map(drop) }).await;
}

fn api(shared: &Shared, pod: &Pod) -> (Api<Pod>, String) {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.clone().unwrap_or_default();
    (Api::namespaced(shared.client.clone(), namespace), name)
}

fn grace(pod: &Pod) -> Duration {
    let seconds = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.termination_grace_period_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(GRACE, Duration::from_secs)
}
