//! Replicas that do not hear each other, do not read, or say what is wrong.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _, stream};
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};
use wakegate_core::{Key, KeyReport};
use wakegate_runtime::Tasks;
use wakegate_scaler::Config;
use wakegate_wire::v1::{
    FollowRequest, FollowResponse, Instance, Page, PageCount, Relayed, Replica, Whole,
    ledgers_client::LedgersClient, ledgers_server,
};

use crate::{
    harness::{Bench, Scaler, WEB, channel, config, count, soon, until},
    life::get,
    link::Link,
    trio::{Trio, held_by, peers_are, says, started},
};

async fn says_unheard(scaler: &Scaler) -> bool {
    let answer = scaler.is_active(WEB).await;
    assert_ne!(
        answer.as_ref().ok(),
        Some(&false),
        "idle, though one is not heard"
    );
    answer.is_err_and(|status| {
        status.code() == Code::Unavailable && status.message().contains("is not heard")
    })
}

#[tokio::test]
async fn a_split_calls_nothing_idle_keeps_numbers_and_heals_to_the_same() {
    let trio = Trio::linked().await;
    let mut workers = trio.workers([2, 0, 3]).await;
    trio.all_say(5).await;
    trio.split(2, true);
    for (at, n_unheard) in [(0, 1), (1, 1), (2, 2)] {
        peers_are(&trio.scalers[at], "unheard", n_unheard).await;
    }
    // Each side hears its own, and keeps what it had of the other.
    workers[0].report(false, &[count(0, 0, 2)]).await;
    workers[2].report(false, &[count(6, 0, 9)]).await;
    for at in [0, 1] {
        says(&trio.scalers[at], 3).await;
    }
    says(&trio.scalers[2], 8).await;
    workers[2].report(false, &[count(0, 0, 9)]).await;
    says(&trio.scalers[2], 2).await;
    trio.split(2, false);
    trio.all_say(0).await;
    // All starts are told: those that the one side alone heard, and those of the other.
    for scaler in &trio.scalers {
        peers_are(scaler, "heard", 2).await;
        let trigger = [("service", "web"), ("targetRate", "1")];
        let started = async || {
            let rate = scaler.metric_of(&trigger, "rate").await;
            rate.is_ok_and(|(_, rate)| (rate - 11.0 / 15.0).abs() < 1e-9)
        };
        until("all starts", started).await;
    }
    trio.stop().await;
}

#[tokio::test]
async fn what_is_idle_on_this_side_of_a_split_is_unknown_until_it_heals() {
    let trio = Trio::linked().await;
    let _workers = trio.workers([0, 0, 0]).await;
    let quick = [("service", "web"), ("pollingInterval", "1")];
    for scaler in &trio.scalers {
        until("idle", async || {
            matches!(scaler.is_active(&quick).await, Ok(false))
        })
        .await;
    }
    trio.split(0, true);
    for scaler in &trio.scalers {
        until("not heard", async || says_unheard_soon(scaler).await).await;
    }
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(1) {
        for scaler in &trio.scalers {
            assert!(says_unheard(scaler).await);
        }
    }
    trio.split(0, false);
    for scaler in &trio.scalers {
        until("idle", async || {
            matches!(scaler.is_active(WEB).await, Ok(false))
        })
        .await;
    }
    trio.stop().await;
}

/// Two seconds are a moment: until then it may be called idle.
async fn says_unheard_soon(scaler: &Scaler) -> bool {
    scaler.is_active(WEB).await.is_err()
}

#[tokio::test]
async fn a_new_replica_waits_for_one_that_is_not_heard_but_not_for_long() {
    let bench = Bench::start().await;
    let tasks = Tasks::default();
    let link = Link::start(&tasks).await;
    let config = Config {
        peers: vec![link.addr.to_string()],
        ..config(bench.control_plane.addr)
    };
    let scaler = started(config).await;
    let waits = "waiting for: ledgers of the other replicas";
    until("it waits", async || {
        get(&scaler, "/ready").await.contains(waits)
    })
    .await;
    let ready = async || get(&scaler, "/ready").await.starts_with("HTTP/1.1 200");
    until("ready", ready).await;
    let _worker = scaler.worker(&[]).await;
    assert!(says_unheard(&scaler).await);
    link.to(bench.scaler.addresses.grpc);
    until("idle", async || {
        matches!(scaler.is_active(WEB).await, Ok(false))
    })
    .await;
    scaler.kill();
}

#[tokio::test]
async fn a_replica_that_does_not_read_is_cut_off_and_costs_little() {
    let bench = Bench::start().await;
    let mut client = LedgersClient::new(channel(bench.scaler.addresses.grpc).await);
    let follower = client.follow(FollowRequest::default()).await;
    let mut follower = follower.unwrap().into_inner();
    let mut worker = bench.scaler.worker(&[]).await;
    let long = "a".repeat(200);
    let keys: Vec<_> = (0..10_000)
        .map(|n| KeyReport {
            key: Key::service(&long, &n.to_string()),
            ..count(0, 0, 1)
        })
        .collect();
    for _ in 0..10 {
        worker.report(false, &keys).await;
    }
    worker.report(false, &[count(1, 0, 1)]).await;
    assert!(bench.scaler.is_active(WEB).await.unwrap());
    let read = async {
        loop {
            match follower.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended well"),
                Err(status) => return status,
            }
        }
    };
    let status = soon("an end", read).await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "the replica does not read")
    );
}

/// A replica that says what a test wants.
struct Liar {
    messages: Vec<FollowResponse>,
}

type Messages = Pin<Box<dyn Stream<Item = Result<FollowResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ledgers_server::Ledgers for Liar {
    type FollowStream = Messages;

    async fn follow(&self, _: Request<FollowRequest>) -> Result<Response<Messages>, Status> {
        let messages = stream::iter(self.messages.clone()).map(Ok);
        Ok(Response::new(Box::pin(messages.chain(stream::pending()))))
    }
}

async fn liar(tasks: &Tasks, messages: Vec<FollowResponse>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let name = FollowResponse {
        replica: Some(Replica::default()),
        ..FollowResponse::default()
    };
    let messages = [vec![name], messages].concat();
    let serve = Server::builder()
        .add_service(ledgers_server::LedgersServer::new(Liar { messages }))
        .serve_with_incoming(TcpIncoming::from(listener));
    tasks.spawn_short("liar", async move { serve.await.unwrap() });
    addr.to_string()
}

#[tokio::test]
async fn garbage_of_a_replica_is_refused_and_harms_no_other_number() {
    let page = |sample_started: Vec<u64>| Page {
        instance: Some(Instance {
            proxy: "edge-1".to_owned(),
            worker: 9,
            ..Instance::default()
        }),
        line_ms: 10,
        counts: vec![PageCount {
            key: "service/shop/web".to_owned(),
            held: 4,
            sample_at_ms: vec![1, 1],
            sample_integral_ms: vec![0, 0],
            sample_started,
            ..PageCount::default()
        }],
        ..Page::default()
    };
    let whole = FollowResponse {
        whole: Some(Whole::default()),
        ..FollowResponse::default()
    };
    let wrong_page = FollowResponse {
        pages: vec![page(vec![1])],
        ..FollowResponse::default()
    };
    let endless_page = FollowResponse {
        pages: vec![Page {
            more: true,
            ..page(vec![0, 0])
        }],
        ..FollowResponse::default()
    };
    let wrong_report = FollowResponse {
        relayed: vec![Relayed {
            report: b"\xff\xff".as_slice().into(),
            age_ms: u64::MAX,
        }],
        ..FollowResponse::default()
    };
    for messages in [
        vec![wrong_page],
        vec![endless_page, whole.clone()],
        vec![whole.clone(), wrong_report],
        vec![whole.clone(), whole],
    ] {
        let tasks = Tasks::default();
        let bench = Bench::start().await;
        let config = Config {
            peers: vec![liar(&tasks, messages).await],
            ..config(bench.control_plane.addr)
        };
        let scaler = started(config).await;
        let _worker = scaler.worker(&[count(2, 0, 2)]).await;
        peers_are(&scaler, "unheard", 1).await;
        assert_eq!(held_by(&scaler).await, Some(2.0));
        scaler.kill();
    }
}
