//! What workers may say, and how they are answered.

use tonic::Code;
use wakegate_core::{Key, KeyReport};

use crate::{
    harness::{Bench, WEB, count, refused},
    worker::Worker,
};

#[tokio::test]
async fn a_number_seen_before_changes_nothing_and_is_acked_again() {
    let bench = Bench::start().await;
    let mut worker = bench.scaler.worker(&[count(1, 0, 1)]).await;
    let ack = worker.send(false, &[count(0, 0, 1)], false).await;
    assert_eq!(ack.acked, 1);
    assert_eq!(bench.scaler.metric("concurrency").await.unwrap().0, 1);
    worker.report(false, &[count(2, 0, 2)]).await;
    assert_eq!(bench.scaler.metric("concurrency").await.unwrap().0, 2);
}

#[tokio::test]
async fn a_reconnect_with_the_same_boot_continues() {
    let bench = Bench::start().await;
    let worker = bench.scaler.worker(&[count(0, 3, 3)]).await;
    let mut worker = worker.reconnect(&bench.scaler).await;
    let still = bench.scaler.is_active(WEB).await.unwrap();
    assert!(still, "the end of a stream ends no worker");
    let ack = worker.report(true, &[count(3, 3, 6)]).await;
    assert_eq!(ack.acked, 2);
    assert_eq!(bench.scaler.metric("concurrency").await.unwrap().0, 3);
    let (_, rate) = bench.scaler.metric("rate").await.unwrap();
    assert!(
        (rate - 6.0 / 15.0).abs() < 1e-9,
        "each start counts once: {rate}"
    );
}

#[tokio::test]
async fn a_worker_hears_of_the_scaler_each_second() {
    let bench = Bench::start().await;
    let mut worker = bench.scaler.worker(&[]).await;
    for _ in 0..2 {
        assert_eq!(worker.ack().await.unwrap().unwrap().acked, 1);
    }
}

#[tokio::test]
async fn a_table_that_the_control_plane_did_not_name_is_asked_for_once() {
    let bench = Bench::start().await;
    let mut worker = Worker::connect(&bench.scaler, 1).await;
    worker.know(&["service/shop/web", "service/other/api"]);
    assert!(worker.report(true, &[]).await.wants_keys);
    assert!(!worker.report(false, &[]).await.wants_keys);
    assert!(!bench.scaler.is_active(WEB).await.unwrap());
}

#[tokio::test]
async fn a_worker_that_breaks_the_protocol_is_told_how() {
    let bench = Bench::start().await;
    let worker = || Worker::connect(&bench.scaler, 1);

    let mut nameless = worker().await;
    let mut request = nameless.request(true, &[], false);
    request.instance = None;
    nameless.say(request).await;
    let text = "the first report names no instance";
    refused(nameless.ack().await, Code::InvalidArgument, text);

    let mut partial = worker().await;
    partial.say(partial.request(false, &[], false)).await;
    let text = "the first report of a stream must be full";
    refused(partial.ack().await, Code::InvalidArgument, text);

    let mut liar = worker().await;
    let mut request = liar.request(true, &[], true);
    request.known_digest ^= 1;
    liar.say(request).await;
    let text = "the keys that the worker named do not add up to its digest";
    refused(liar.ack().await, Code::InvalidArgument, text);

    let mut greedy = worker().await;
    let key = |n| KeyReport {
        key: Key::from(format!("k/{n}").as_str()),
        ..count(0, 0, 0)
    };
    let keys: Vec<_> = (0..20_001).map(key).collect();
    greedy.say(greedy.request(true, &keys, false)).await;
    let text = "the worker has numbers or routes for 20001 keys, more than 20000";
    refused(greedy.ack().await, Code::ResourceExhausted, text);
    assert!(
        bench.scaler.is_active(WEB).await.is_err(),
        "none of them is a worker"
    );
}
