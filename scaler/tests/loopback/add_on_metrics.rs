//! The metrics under the names of the KEDA HTTP Add-on.

use wakegate_core::{KeyReport, Targets};

use crate::{
    add_on::{counted, key, of_add_on},
    harness::{Bench, count, eventually, table, web},
    life::get,
    worker::Worker,
};

const ROUTE: &str = "interceptorRoute";
const SCALED: &str = "httpScaledObject";

/// The numbers of the InterceptorRoute `web`: held, running, started, and the time of all.
fn route(counts: (u32, u32, u64), integral_ms: u64) -> KeyReport {
    KeyReport {
        integral_ms,
        ..counted(key(ROUTE, "web"), counts)
    }
}

#[track_caller]
fn check(page: &str, name: &str, expected: &str) {
    let line = format!("{name} {expected}");
    let is_there = page.lines().any(|other| other == line);
    assert!(is_there, "{line} is not in\n{page}");
}

const WEB: &str = "{route_name=\"web\",route_namespace=\"shop\"}";
const API: &str = "{route_name=\"api\",route_namespace=\"shop\"}";

async fn check_web(bench: &Bench, under_way: u32, ended: u64, seconds: &str) {
    let page = get(&bench.scaler, "/metrics").await;
    let concurrency = format!("interceptor_request_concurrency{WEB}");
    check(&page, &concurrency, &under_way.to_string());
    let ended = ended.to_string();
    check(
        &page,
        &format!("interceptor_request_count_total{WEB}"),
        &ended,
    );
    let duration = "interceptor_request_duration_seconds";
    check(&page, &format!("{duration}_count{WEB}"), &ended);
    check(&page, &format!("{duration}_sum{WEB}"), seconds);
    let all = "{le=\"+Inf\",route_name=\"web\",route_namespace=\"shop\"}";
    check(&page, &format!("{duration}_bucket{all}"), &ended);
}

#[tokio::test]
async fn what_is_counted_for_the_add_ons_objects_is_under_its_names_and_never_goes_down() {
    let workloads = [
        of_add_on(ROUTE, "web", Targets::default()),
        of_add_on(SCALED, "api", Targets::default()),
        web(),
    ];
    let bench = Bench::of(&workloads, true).await;
    let mut worker = bench
        .scaler
        .worker(&[route((1, 2, 8), 4_500), count(7, 0, 7)])
        .await;
    let mut other = Worker::connect(&bench.scaler, 1).await.numbered(1);
    other.report(true, &[route((0, 1, 3), 1_000)]).await;
    check_web(&bench, 4, 7, "5.5").await;
    let page = get(&bench.scaler, "/metrics").await;
    check(&page, &format!("interceptor_request_count_total{API}"), "0");
    assert!(!page.contains("route_name=\"app\""), "{page}");
    for line in [
        "# TYPE interceptor_request_concurrency gauge",
        "# TYPE interceptor_request_count counter",
        "# TYPE interceptor_request_duration_seconds histogram",
        "# TYPE scaler_pinger_endpoints gauge",
    ] {
        assert!(page.lines().any(|other| other == line), "{line}: {page}");
    }

    // The other dies, and ages out.
    drop(other);
    worker.live(11).await;
    check_web(&bench, 3, 7, "5.5").await;
    let page = get(&bench.scaler, "/metrics").await;
    check(&page, "scaler_pinger_endpoints", "1");
    check(&page, "wakegate_scaler_workers", "1");

    // This one begins anew.
    let mut worker = worker.reboot(&bench.scaler).await;
    worker.report(true, &[route((0, 0, 2), 250)]).await;
    check_web(&bench, 0, 9, "5.75").await;

    bench.control_plane.update(table("v2", &[web()]));
    let is_known = || {
        let seen = bench.control_plane.seen.lock();
        seen.acks.iter().any(|ack| ack.version == "v2")
    };
    eventually("the new table is acked", is_known).await;
    let page = get(&bench.scaler, "/metrics").await;
    assert!(!page.contains("route_name"), "{page}");
}

#[tokio::test]
async fn the_page_of_operations_names_each() {
    let page = std::fs::read_to_string("../docs/operations.md").unwrap();
    let bench = Bench::of(&[], true).await;
    let metrics = get(&bench.scaler, "/metrics").await;
    let types = metrics.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        let end = if kind == "counter" { "_total" } else { "" };
        Some(format!("`{name}{end}`"))
    });
    let names: Vec<String> = types
        .filter(|name| !name.starts_with("`wakegate"))
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        assert!(page.contains(&name), "{name} is not in the page");
    }
}

#[tokio::test]
async fn without_the_flag_there_is_none_of_them() {
    let workloads = [of_add_on(ROUTE, "web", Targets::default())];
    let bench = Bench::of(&workloads, false).await;
    let _worker = bench.scaler.worker(&[route((1, 0, 1), 0)]).await;
    let page = get(&bench.scaler, "/metrics").await;
    assert!(page.contains("wakegate_scaler_reports_total"), "{page}");
    for name in ["interceptor_", "scaler_pinger"] {
        assert!(!page.contains(name), "{name}: {page}");
    }
}
