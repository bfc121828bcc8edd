//! Several replicas: a worker reports to any one, and each answers from the whole.

use std::time::{Duration, Instant};

use wakegate_core::{Alias, Key, Targets, Workload};
use wakegate_scaler::Config;

use crate::{
    add_on::{counted, key, of_add_on},
    harness::{DEADLINE, WEB, config, count, soon, until, web},
    life::get,
    trio::{N, Trio, held_by, peers_are, says, started},
    worker::Worker,
};

#[tokio::test]
async fn three_replicas_give_equal_answers_and_know_themselves() {
    let trio = Trio::start().await;
    let mut workers = trio.workers([2, 3, 4]).await;
    trio.all_say(9).await;
    let mut rates = Vec::new();
    for scaler in &trio.scalers {
        assert!(scaler.is_active(WEB).await.unwrap());
        rates.push(
            scaler
                .metric_of(&[("service", "web"), ("targetRate", "1")], "rate")
                .await
                .unwrap()
                .1,
        );
    }
    assert!(
        rates
            .iter()
            .all(|rate| rate.to_bits() == rates[0].to_bits()),
        "{rates:?}"
    );

    // A report that says nothing new keeps a worker, and a move counts once.
    workers[0].report(false, &[]).await;
    let moved = workers.remove(0).reconnect(&trio.scalers[2]).await;
    let mut moved = moved.numbered(0);
    moved.report(true, &[count(1, 0, 2)]).await;
    trio.all_say(8).await;
    let metrics = get(&trio.scalers[2], "/metrics").await;
    for line in [
        "wakegate_scaler_workers 3",
        "wakegate_scaler_workers_here 2",
        "wakegate_scaler_peers{standing=\"heard\"} 2",
        "wakegate_scaler_streams{rpc=\"Follow\"} 2",
        "wakegate_scaler_resyncs_total 2",
    ] {
        until(line, async || {
            get(&trio.scalers[2], "/metrics").await.contains(line)
        })
        .await;
    }
    assert!(metrics.contains("wakegate_scaler_peer_bytes_total{direction=\"taken\"}"));
    trio.stop().await;
}

#[tokio::test]
async fn what_is_newly_held_at_one_replica_comes_out_of_another_at_once() {
    let trio = Trio::start().await;
    let mut workers = trio.workers([0, 0, 0]).await;
    let mut stream = trio.scalers[0].stream().await;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        workers[2].report(false, &[count(1, 0, 1)]).await;
        let told = soon("true", stream.message()).await.unwrap();
        assert!(told.unwrap().result);
        fastest = fastest.min(begin.elapsed());
        workers[2].report(false, &[count(0, 0, 1)]).await;
        says(&trio.scalers[0], 0).await;
    }
    // Gathering alone would take 20 ms.
    assert!(fastest < Duration::from_millis(20), "{fastest:?}");
    trio.stop().await;
}

#[tokio::test]
async fn killing_any_one_changes_no_answer_of_the_others() {
    for victim in 0..N {
        let mut trio = Trio::start().await;
        let mut workers = trio.workers([2, 3, 4]).await;
        trio.all_say(9).await;
        trio.scalers.remove(victim).kill();
        let orphan = workers.remove(victim);
        // A filter comes back within some seconds; until then its numbers stay.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(500) {
            for scaler in &trio.scalers {
                assert_eq!(held_by(scaler).await, Some(9.0));
            }
        }
        let mut orphan = orphan.reconnect(&trio.scalers[0]).await;
        orphan.report(true, &[count(7, 0, 7)]).await;
        let held = 7 + 9 - [2, 3, 4][victim];
        trio.all_say(held).await;
        for scaler in &trio.scalers {
            peers_are(scaler, "gone", 1).await;
        }
        trio.stop().await;
    }
}

#[tokio::test]
async fn idle_answers_go_on_without_one_that_was_killed_or_that_drained() {
    for drains in [false, true] {
        let mut trio = Trio::start().await;
        let _workers = trio.workers([0, 0, 0]).await;
        trio.all_say(0).await;
        let gone = trio.scalers.remove(1);
        if drains {
            gone.tasks.shutdown_token().cancel();
            gone.tasks.clone().run(DEADLINE).await.unwrap();
            gone.kill();
        } else {
            gone.kill();
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            for scaler in &trio.scalers {
                assert!(!scaler.is_active(WEB).await.unwrap());
            }
        }
        for scaler in &trio.scalers {
            peers_are(scaler, "gone", 1).await;
        }
        trio.stop().await;
    }
}

#[tokio::test]
async fn a_newcomer_answers_at_once_with_the_history_of_the_others() {
    const SETTLING: Duration = Duration::from_secs(3);
    let trio = Trio::of(&[web(), api()], false).await;
    let begin = Instant::now();
    let mut worker = Worker::connect(&trio.scalers[0], 1).await;
    worker.know(&["service/shop/web", "service/shop/api"]);
    worker.report(true, &[]).await;
    worker.report(false, &[count(0, 0, 30)]).await;
    says_rate(&trio, 2.0).await;
    until("the others have settled", async || {
        begin.elapsed() > SETTLING
    })
    .await;
    let begin = Instant::now();
    let peers = trio.scalers.iter();
    let config = Config {
        peers: peers
            .map(|scaler| scaler.addresses.grpc.to_string())
            .collect(),
        settling: SETTLING,
        ..config(trio.control_plane.addr)
    };
    let newcomer = started(config).await;
    until("ready", async || {
        get(&newcomer, "/ready").await.starts_with("HTTP/1.1 200")
    })
    .await;
    let (_, rate) = newcomer.metric("rate").await.unwrap();
    assert!((rate - 2.0).abs() < 1e-9, "{rate}");
    assert!(newcomer.is_active(WEB).await.unwrap());
    // It has not listened for so long itself, and calls idle what the others know to be idle.
    let idle = [("service", "api"), ("pollingInterval", "15")];
    assert!(!newcomer.is_active(&idle).await.unwrap());
    assert!(begin.elapsed() < SETTLING, "too slow to tell");
    newcomer.kill();
    trio.stop().await;
}

/// A workload that nobody asks for.
fn api() -> Workload {
    let alias = Alias {
        kind: "service".to_owned(),
        name: "api".to_owned(),
    };
    Workload {
        id: "shop/Deployment/api".to_owned(),
        keys: vec![Key::service("shop", "api")],
        aliases: vec![alias],
        ..web()
    }
}

async fn says_rate(trio: &Trio, expected: f64) {
    for scaler in &trio.scalers {
        let says = async || {
            let rate = scaler.metric("rate").await;
            rate.is_ok_and(|(_, rate)| (rate - expected).abs() < 1e-9)
        };
        until("the rate", says).await;
    }
}

#[tokio::test]
async fn the_add_ons_metrics_add_up_over_replicas() {
    const ROUTE: &str = "interceptorRoute";
    let workloads = [of_add_on(ROUTE, "web", Targets::default()), web()];
    let trio = Trio::of(&workloads, true).await;
    let sum = async |name: &str| {
        let mut sum = 0.0;
        for scaler in &trio.scalers {
            let page = get(scaler, "/metrics").await;
            let line = page.lines().find(|line| line.starts_with(name)).unwrap();
            sum += line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        }
        sum
    };
    let route = |held, started| [counted(key(ROUTE, "web"), (held, 0, started))];
    let mut workers = Vec::new();
    for (number, scaler) in (0..).zip(&trio.scalers) {
        let mut worker = Worker::connect(scaler, 1).await.aged().numbered(number);
        worker.know(&["interceptorRoute/shop/web"]);
        worker.report(true, &route(1, 101)).await;
        worker.report(false, &route(1, 111)).await;
        workers.push(worker);
    }
    let becomes = async |name: &str, expected: f64| {
        let is_so = async || (sum(name).await - expected).abs() < 1e-9;
        until(name, is_so).await;
    };
    becomes("interceptor_request_count_total", 30.0).await;
    // One moves: what it said to the one replica is not counted by the other again, and nothing is left out.
    let all_heard = async || {
        let rate = trio.scalers[1].metric_of(&[(ROUTE, "web")], "rate").await;
        rate.is_ok_and(|(_, rate)| (rate - 33.0 / 15.0).abs() < 1e-9)
    };
    until("all is relayed", all_heard).await;
    let mut moved = workers.remove(0).reconnect(&trio.scalers[1]).await;
    moved.report(true, &route(1, 116)).await;
    becomes("interceptor_request_count_total", 35.0).await;
    becomes("interceptor_request_concurrency", 3.0).await;
    becomes("scaler_pinger_endpoints", 3.0).await;
    trio.stop().await;
}
