//! Objects of the KEDA HTTP Add-on, and what its own scaler misses or breaks at.

use std::time::{Duration, Instant};

use wakegate_core::{Alias, Key, KeyReport, Targets, Workload};

use crate::{
    harness::{Bench, Scaler, WEB, count, object, soon, table, web},
    worker::Worker,
};

const ROUTE: &str = "interceptorRoute";
const SCALED: &str = "httpScaledObject";

/// What the control plane says of an object of the add-on.
pub(crate) fn of_add_on(kind: &str, name: &str, targets: Targets) -> Workload {
    let alias = Alias {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    Workload {
        id: format!("shop/{kind}/{name}"),
        keys: vec![key(kind, name)],
        aliases: vec![alias],
        targets,
        ..web()
    }
}

pub(crate) fn key(kind: &str, name: &str) -> Key {
    Key::from(format!("{kind}/shop/{name}").as_str())
}

/// The numbers of one key: held, running, started.
pub(crate) fn counted(key: Key, (held, running, started): (u32, u32, u64)) -> KeyReport {
    KeyReport {
        key,
        ..count(held, running, started)
    }
}

fn rate(rate: f64, window: Duration, granularity: Duration) -> Targets {
    Targets {
        concurrency: None,
        rate: Some(rate),
        rate_window: window,
        rate_granularity: granularity,
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test]
async fn a_held_request_keeps_a_workload_that_scales_by_rate_active_for_as_long_as_it_is_held() {
    let targets = rate(5.0, ms(60_000), ms(1_000));
    let bench = Bench::of(&[of_add_on(ROUTE, "web", targets)], false).await;
    let trigger = [(ROUTE, "web"), ("pollingInterval", "1")];
    let held = |held, started| [counted(key(ROUTE, "web"), (held, 0, started))];
    let mut worker = Worker::connect(&bench.scaler, 1).await;
    worker.know(&["interceptorRoute/shop/web"]);
    worker.report(true, &held(1, 1)).await;
    worker.live(90).await;
    let (_, rate) = bench.scaler.metric_of(&trigger, "rate").await.unwrap();
    assert!(rate.abs() < 1e-9, "its start is long ago: {rate}");
    assert!(bench.scaler.is_active(&trigger).await.unwrap());
    worker.report(false, &held(0, 1)).await;
    assert!(!bench.scaler.is_active(&trigger).await.unwrap());
}

#[tokio::test]
async fn a_single_request_is_activity_however_fine_the_rates_grain_is() {
    let windows = [
        (ms(2_001), ms(1)),
        (ms(2_001_000), ms(1_000)),
        (ms(3_600_000), ms(1)),
    ];
    let names = ["a", "b", "c"];
    let workloads = names.iter().zip(windows).map(|(name, (window, grain))| {
        let targets = rate(1.0, window, grain);
        of_add_on(ROUTE, name, targets)
    });
    let workloads: Vec<Workload> = workloads.collect();
    let bench = Bench::of(&workloads, false).await;
    let counts = names.map(|name| counted(key(ROUTE, name), (0, 0, 1)));
    let _worker = bench.scaler.worker(&counts).await;
    for name in names {
        let trigger = [(ROUTE, name)];
        let mut stream = bench.scaler.stream_of(&trigger).await;
        assert!(soon("true", stream.message()).await.unwrap().is_some());
        assert!(bench.scaler.is_active(&trigger).await.unwrap(), "{name}");
        let (whole, rate) = bench.scaler.metric_of(&trigger, "rate").await.unwrap();
        assert!(rate > 0.0 && whole == 1, "{name}: {rate}");
    }
}

#[tokio::test]
async fn a_request_that_was_answered_at_once_wakes() {
    let bench = Bench::start().await;
    let mut stream = bench.scaler.stream().await;
    let mut worker = bench.scaler.worker(&[]).await;
    assert!(!bench.scaler.is_active(WEB).await.unwrap());
    let answered = KeyReport {
        shed: 1,
        ..count(0, 0, 1)
    };
    worker.report(false, &[answered]).await;
    assert!(soon("true", stream.message()).await.unwrap().is_some());
    assert!(bench.scaler.is_active(WEB).await.unwrap());
}

#[tokio::test]
async fn the_first_request_of_a_new_worker_or_a_new_route_counts() {
    let bench = Bench::start().await;
    let mut stream = bench.scaler.stream().await;
    let mut worker = bench.scaler.worker(&[count(0, 0, 1)]).await;
    assert!(soon("true", stream.message()).await.unwrap().is_some());
    let fifteenth = async |trigger: &[(&str, &str)]| {
        assert!(bench.scaler.is_active(trigger).await.unwrap());
        let (_, rate) = bench.scaler.metric_of(trigger, "rate").await.unwrap();
        assert!((rate - 1.0 / 15.0).abs() < 1e-9, "{rate}");
    };
    fifteenth(WEB).await;

    let new = of_add_on(ROUTE, "new", rate(1.0, ms(60_000), ms(1_000)));
    bench.control_plane.update(table("v2", &[web(), new]));
    let is_known = || {
        let seen = bench.control_plane.seen.lock();
        seen.acks.iter().any(|ack| ack.version == "v2")
    };
    crate::harness::eventually("the new table is acked", is_known).await;
    let first = counted(key(ROUTE, "new"), (0, 0, 1));
    worker.report(false, &[first]).await;
    fifteenth(&[(ROUTE, "new")]).await;
}

#[tokio::test]
async fn a_grain_below_a_second_or_of_no_whole_seconds_gives_the_right_rate_and_harms_nobody() {
    let grains = [
        ("half", 500, 1.0),
        ("least", 1, 0.002),
        ("odd", 1_500, 3.0),
        ("minute", 60_000, 120.0),
    ];
    let workload = |(name, grain, _): &(&str, u64, f64)| {
        let targets = rate(1.0, ms(60_000), ms(*grain));
        of_add_on(SCALED, name, targets)
    };
    let mut workloads: Vec<Workload> = grains.iter().map(workload).collect();
    workloads.push(web());
    let bench = Bench::of(&workloads, false).await;
    let counts = grains.map(|(name, ..)| counted(key(SCALED, name), (0, 0, 30)));
    let mut worker = bench.scaler.worker(&counts).await;
    worker.report(false, &[count(0, 0, 30)]).await;
    for (name, _, expected) in grains {
        let rate = bench.scaler.metric_of(&[(SCALED, name)], "rate").await;
        let (_, rate) = rate.unwrap();
        assert!((rate - expected).abs() < 1e-9, "{name}: {rate}");
    }
    let (_, rate) = bench.scaler.metric("rate").await.unwrap();
    assert!((rate - 2.0).abs() < 1e-9, "{rate}");
}

#[tokio::test]
async fn a_reporter_that_hangs_keeps_nobody_waiting() {
    let bench = Bench::start().await;
    let _says_nothing = Worker::connect(&bench.scaler, 1).await;
    let reads_nothing = Worker::connect(&bench.scaler, 1).await.numbered(1);
    reads_nothing
        .say(reads_nothing.request(true, &[], false))
        .await;
    let start = Instant::now();
    let mut stream = bench.scaler.stream().await;
    let _worker = bench.scaler.worker(&[count(1, 0, 1)]).await;
    assert!(soon("true", stream.message()).await.unwrap().is_some());
    assert!(bench.scaler.is_active(WEB).await.unwrap());
    assert_eq!(bench.scaler.metric("concurrency").await.unwrap().0, 1);
    assert!(start.elapsed() < ms(500), "{:?}", start.elapsed());
}

async fn specs(scaler: &Scaler, trigger: &[(&str, &str)]) -> Vec<(String, f64)> {
    let mut keda = scaler.keda.clone();
    let specs = keda.get_metric_spec(object(trigger)).await.unwrap();
    let specs = specs.into_inner().metric_specs.into_iter();
    specs
        .map(|spec| (spec.metric_name, spec.target_size_float))
        .collect()
}

#[tokio::test]
async fn an_interceptor_route_with_both_metrics_has_both_and_an_http_scaled_object_one() {
    let both = Targets {
        concurrency: Some(10.0),
        ..rate(2.0, ms(60_000), ms(1_000))
    };
    let one = rate(7.0, ms(60_000), ms(1_000));
    let workloads = [of_add_on(ROUTE, "web", both), of_add_on(SCALED, "api", one)];
    let bench = Bench::of(&workloads, false).await;
    let spec = |name: &str, target| (name.to_owned(), target);
    let of_route = specs(&bench.scaler, &[(ROUTE, "web"), (SCALED, "gone")]).await;
    assert_eq!(of_route, [spec("concurrency", 10.0), spec("rate", 2.0)]);
    let of_object = specs(&bench.scaler, &[(SCALED, "api")]).await;
    assert_eq!(of_object, [spec("rate", 7.0)]);

    let counts = [counted(key(ROUTE, "web"), (3, 0, 3))];
    let _worker = bench.scaler.worker(&counts).await;
    for (metric, expected) in [("concurrency", 3.0), ("rate", 3.0 / 15.0)] {
        let value = bench.scaler.metric_of(&[(ROUTE, "web")], metric).await;
        let (_, value) = value.unwrap();
        assert!((value - expected).abs() < 1e-9, "{metric}: {value}");
    }
}
