//! All pods of the cluster: those without a node are scheduled, ours are run.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use ::kube::api::Api;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Shared, next, pod, scheduler};

/// Pods that run, each with what the API server says of it; `None` once it is gone.
type Running = BTreeMap<String, watch::Sender<Option<Arc<Pod>>>>;

/// Schedules and runs pods.
pub(super) async fn run(shared: Arc<Shared>) {
    let pods: Api<Pod> = Api::all(shared.client.clone());
    let mut events = pin!(watcher(pods, watcher::Config::default()));
    let (mut running, mut tasks) = (Running::new(), JoinSet::new());
    let mut listed = BTreeSet::new();
    loop {
        let event = tokio::select! {
            event = next(&mut events) => event,
            Some(_) = tasks.join_next() => continue,
        };
        match event {
            None => return,
            Some(Event::Init) => listed.clear(),
            Some(Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                on_pod(&shared, pod, &mut running, &mut tasks);
            }
            Some(Event::InitDone) => running.retain(|uid, told| {
                let is_there = listed.contains(uid);
                if !is_there {
                    told.send_replace(None);
                }
                is_there
            }),
            Some(Event::Apply(pod)) => on_pod(&shared, pod, &mut running, &mut tasks),
            Some(Event::Delete(pod)) => {
                if let Some(told) = pod.metadata.uid.and_then(|uid| running.remove(&uid)) {
                    told.send_replace(None);
                }
            }
        }
    }
}

fn on_pod(shared: &Arc<Shared>, pod: Pod, running: &mut Running, tasks: &mut JoinSet<()>) {
    let (Some(uid), Some(spec)) = (pod.metadata.uid.clone(), pod.spec.as_ref()) else {
        return;
    };
    let is_ending = pod.metadata.deletion_timestamp.is_some();
    let Some(node) = &spec.node_name else {
        let was_told = pod
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref())
            .is_some_and(|conditions| !conditions.is_empty());
        if !is_ending && !was_told {
            let scheduled = scheduler::schedule(shared.client.clone(), pod, shared.name.clone());
            tasks.spawn(scheduled);
        }
        return;
    };
    if *node != shared.name {
        return;
    }
    if let Some(told) = running.get(&uid) {
        told.send_replace(Some(Arc::new(pod)));
        return;
    }
    let (tell, told) = watch::channel(Some(Arc::new(pod)));
    running.insert(uid, tell);
    tasks.spawn(pod::run(Arc::clone(shared), told));
}
