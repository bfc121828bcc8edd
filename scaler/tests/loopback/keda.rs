//! What KEDA is told.

use std::time::{Duration, Instant};

use tonic::Code;
use wakegate_core::Targets;

use crate::harness::{Bench, WEB, count, object, refused, soon, table, web};

#[tokio::test]
async fn a_held_request_says_true_at_once() {
    let bench = Bench::start().await;
    let mut stream = bench.scaler.stream().await;
    let mut worker = bench.scaler.worker(&[]).await;
    let start = Instant::now();
    worker.report(false, &[count(1, 0, 1)]).await;
    let answer = soon("true", stream.message()).await.unwrap().unwrap();
    assert!(answer.result);
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    assert!(bench.scaler.is_active(WEB).await.unwrap());
}

#[tokio::test]
async fn a_stream_that_opens_while_active_says_true_and_repeats_at_zero_replicas() {
    let bench = Bench::start().await;
    let _worker = bench.scaler.worker(&[count(1, 0, 1)]).await;
    let mut stream = bench.scaler.stream().await;
    for _ in 0..2 {
        assert!(
            soon("true", stream.message())
                .await
                .unwrap()
                .unwrap()
                .result
        );
    }
}

#[tokio::test]
async fn silence_is_unavailable_and_a_workers_word_is_idle() {
    let bench = Bench::start().await;
    let none = "no live worker has said that its table contains service/shop/web";
    refused(bench.scaler.is_active(WEB).await, Code::Unavailable, none);
    refused(
        bench.scaler.metric("concurrency").await,
        Code::Unavailable,
        none,
    );
    let _worker = bench.scaler.worker(&[]).await;
    assert!(!bench.scaler.is_active(WEB).await.unwrap());
    assert_eq!(bench.scaler.metric("concurrency").await.unwrap(), (0, 0.0));
}

#[tokio::test]
async fn metrics_are_one_sum_in_whole_and_in_float() {
    let bench = Bench::start().await;
    let mut worker = bench.scaler.worker(&[]).await;
    worker.report(false, &[count(7, 0, 7)]).await;
    let (whole, float) = bench.scaler.metric("concurrency").await.unwrap();
    assert_eq!((whole, float.to_bits()), (7, 7.0_f64.to_bits()));
    let (whole, float) = bench.scaler.metric("rate").await.unwrap();
    assert_eq!(whole, 1, "rounded up");
    assert!(
        (float - 7.0 / 15.0).abs() < 1e-9,
        "a scaler this young takes 15 s: {float}"
    );
    refused(
        bench.scaler.metric("s0-rate").await,
        Code::NotFound,
        "there is no metric \"s0-rate\"; there are concurrency",
    );
}

#[tokio::test]
async fn a_name_that_is_unknown_is_answered_with_those_that_are() {
    let bench = Bench::start().await;
    let _worker = bench.scaler.worker(&[]).await;
    assert!(
        !bench
            .scaler
            .is_active(&[("httpRoute", "front")])
            .await
            .unwrap()
    );
    let text = "no workload is known as service \"wbe\" in namespace \"shop\"; \
                known service names there: web";
    refused(
        bench.scaler.is_active(&[("service", "wbe")]).await,
        Code::NotFound,
        text,
    );
    let mut keda = bench.scaler.keda.clone();
    let wrong = object(&[("service", "wbe")]);
    refused(
        keda.stream_is_active(wrong.clone()).await,
        Code::NotFound,
        text,
    );
    refused(keda.get_metric_spec(wrong).await, Code::NotFound, text);
    let text = "the trigger's metadata names no workload: give one of workload, service, \
                httpRoute, grpcRoute, ingress, virtualService, wakePolicy, interceptorRoute, httpScaledObject";
    refused(
        bench.scaler.is_active(&[]).await,
        Code::InvalidArgument,
        text,
    );
}

#[tokio::test]
async fn changed_targets_reach_an_open_stream() {
    let bench = Bench::start().await;
    let mut stream = bench.scaler.keda.clone();
    let mut stream = stream
        .stream_metric_spec(object(WEB))
        .await
        .unwrap()
        .into_inner();
    let specs = soon("specs", stream.message())
        .await
        .unwrap()
        .unwrap()
        .metric_specs;
    assert_eq!(
        (specs[0].metric_name.as_str(), specs[0].target_size),
        ("concurrency", 10)
    );
    let mut changed = web();
    changed.targets = Targets {
        rate: Some(2.5),
        ..Targets::default()
    };
    bench.control_plane.update(table("v2", &[changed]));
    let specs = soon("specs", stream.message())
        .await
        .unwrap()
        .unwrap()
        .metric_specs;
    assert_eq!(
        (specs[0].metric_name.as_str(), specs[0].target_size),
        ("rate", 3)
    );
    let answer = bench
        .scaler
        .keda
        .clone()
        .get_metric_spec(object(WEB))
        .await
        .unwrap();
    assert_eq!(answer.into_inner().metric_specs, specs);
}

#[tokio::test]
async fn hundreds_of_streams_share_a_connection() {
    let bench = Bench::start().await;
    let mut streams = Vec::new();
    for _ in 0..500 {
        streams.push(bench.scaler.stream().await);
    }
    let _worker = bench.scaler.worker(&[count(1, 0, 1)]).await;
    for stream in &mut streams {
        assert!(
            soon("true", stream.message())
                .await
                .unwrap()
                .unwrap()
                .result
        );
    }
}
