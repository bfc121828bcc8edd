//! Streams that grow old come to be shared by the replicas, and what moves is not sent anew.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tokio::task::JoinSet;
use wakegate_runtime::StreamAge;
use wakegate_wire::v1::{self, watch_response::Response};

use crate::harness::{ControlPlane, hello, shop, soon};

const N_WORKERS: u32 = 40;
const AGE: Duration = Duration::from_millis(300);

/// Two replicas with one table, whose streams last for so long.
async fn replicas(age: StreamAge) -> [ControlPlane; 2] {
    let mut replicas = [
        ControlPlane::aging(age).await,
        ControlPlane::aging(age).await,
    ];
    for replica in &mut replicas {
        replica.write("first.yaml", &(shop("web") + &shop("api")));
        replica.load();
    }
    replicas
}

fn n_on(replica: &ControlPlane) -> usize {
    replica.workers.reports().len()
}

/// A worker as a proxy with two hosts for the control plane has it: each new stream goes to the next host. It adds
/// up what it was sent, to `n_updates`.
async fn live(
    replicas: &[ControlPlane; 2],
    worker: u32,
    next: &AtomicUsize,
    n_updates: &AtomicUsize,
) {
    // All hang on the first, as after a rollout in which the second came last.
    let mut at = 0;
    let mut version = String::new();
    loop {
        let mut stream = replicas[at]
            .watch(v1::Hello {
                worker,
                version: version.clone(),
                ..hello()
            })
            .await;
        while let Some(message) = stream.next().await {
            if let Response::Update(update) = message {
                n_updates.fetch_add(1, Relaxed);
                stream.ack(&update.version, "").await;
                version = update.version;
            }
        }
        at = next.fetch_add(1, Relaxed) % 2;
    }
}

#[tokio::test]
async fn workers_that_all_hang_on_one_replica_come_to_be_shared_without_a_table() {
    let replicas = replicas(StreamAge::of(AGE)).await;
    let replicas: &'static [ControlPlane; 2] = Box::leak(Box::new(replicas));
    let (next, n_updates) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counters: &'static (AtomicUsize, AtomicUsize) = Box::leak(Box::new((next, n_updates)));
    let mut workers = JoinSet::new();
    for worker in 0..N_WORKERS {
        workers.spawn(live(replicas, worker, &counters.0, &counters.1));
    }
    soon("all workers on the first", async {
        while n_on(&replicas[0]) < N_WORKERS as usize {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    soon("a third of them on the second", async {
        while n_on(&replicas[1]) < N_WORKERS as usize / 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    // The first table of each, and nothing on any move.
    assert_eq!(counters.1.load(Relaxed), N_WORKERS as usize);
}

#[tokio::test]
async fn a_stream_does_not_end_while_its_update_is_under_way() {
    let replica = ControlPlane::aging(StreamAge::of(AGE)).await;
    let mut replica = replica;
    replica.write("first.yaml", &shop("web"));
    replica.load();
    let mut worker = replica.watch(hello()).await;
    let update = worker.update().await;
    // Heartbeats come each second, well after it is too old.
    worker.heartbeat().await;
    worker.heartbeat().await;
    worker.ack(&update.version, "").await;
    soon("the end", async { while worker.next().await.is_some() {} }).await;
}

#[tokio::test]
async fn without_an_age_streams_stay() {
    let [replica, _] = replicas(StreamAge::default()).await;
    let mut worker = replica.watch(hello()).await;
    worker.applied().await;
    for _ in 0..3 {
        worker.heartbeat().await;
    }
}
