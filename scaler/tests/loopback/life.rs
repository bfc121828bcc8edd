//! Starts, restarts and ends: of the scaler, and of its control plane.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tonic::Code;
use wakegate_runtime::StreamArgs;
use wakegate_scaler::Config;

use crate::{
    control_plane::ControlPlane,
    harness::{
        Bench, DEADLINE, Scaler, WEB, config, count, eventually, object, refused, soon, table, web,
    },
    worker::Worker,
};

pub(crate) async fn get(scaler: &Scaler, path: &str) -> String {
    page(scaler.addresses.admin, path).await
}

pub(crate) async fn page(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn a_drain_ends_every_stream_with_ok() {
    let bench = Bench::start().await;
    let scaler = bench.scaler;
    let mut worker = scaler.worker(&[count(1, 0, 1)]).await;
    let mut activity = scaler.stream().await;
    let mut keda = scaler.keda.clone();
    let mut specs = keda
        .stream_metric_spec(object(WEB))
        .await
        .unwrap()
        .into_inner();
    assert!(soon("true", activity.message()).await.unwrap().is_some());
    assert!(soon("specs", specs.message()).await.unwrap().is_some());

    scaler.tasks.shutdown_token().cancel();
    assert_eq!(soon("an end", activity.message()).await.unwrap(), None);
    assert_eq!(soon("an end", specs.message()).await.unwrap(), None);
    assert_eq!(worker.ack().await.unwrap(), None);
    scaler.tasks.run(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_stream_of_reports_that_grew_old_ends_with_ok_and_the_next_one_goes_on() {
    let control_plane = ControlPlane::start(table("v1", &[web()])).await;
    let streams = StreamArgs {
        max_stream_age_secs: 1,
        drain_delay_secs: 0,
    };
    let aging = Config {
        streams,
        ..config(control_plane.addr)
    };
    let scaler = Scaler::start_as(aging, None).await;
    eventually("the table is acked", || {
        !control_plane.seen.lock().acks.is_empty()
    })
    .await;
    let mut worker = scaler.worker(&[count(1, 0, 1)]).await;
    while worker.ack().await.unwrap().is_some() {}
    // What was held is held: nothing that KEDA is told changes meanwhile.
    assert!(scaler.is_active(WEB).await.unwrap());
    let mut worker = worker.reconnect(&scaler).await;
    let ack = worker.report(true, &[count(1, 0, 1)]).await;
    assert_eq!(ack.acked, 2);
    assert!(scaler.is_active(WEB).await.unwrap());
}

#[tokio::test]
async fn a_control_plane_that_ends_the_stream_well_is_asked_again_by_the_version_that_there_is() {
    let bench = Bench::start().await;
    let hellos = || bench.control_plane.seen.lock().hellos.clone();
    for n in 2..6 {
        bench.control_plane.end_streams();
        eventually("another hello", || hellos().len() == n).await;
        assert_eq!(hellos().last().unwrap().version, "v1");
        // The table in force goes on.
        let _active = bench.scaler.stream().await;
    }
}

#[tokio::test]
async fn a_restarted_scaler_continues_without_a_burst_or_a_dip() {
    let bench = Bench::start().await;
    let mut worker = Worker::connect(&bench.scaler, 41).await.aged();
    worker.report(true, &[count(0, 4, 5_000)]).await;
    bench.scaler.stop().await;

    let scaler = Scaler::start(bench.control_plane.addr).await;
    eventually("the table is acked again", || {
        bench.control_plane.seen.lock().acks.len() == 2
    })
    .await;
    let mut worker = worker.reconnect(&scaler).await;
    let ack = worker.report(true, &[count(0, 4, 5_000)]).await;
    assert_eq!(ack.acked, 42);
    assert!(scaler.is_active(WEB).await.unwrap());
    let (_, concurrency) = scaler.metric("concurrency").await.unwrap();
    assert!((concurrency - 4.0).abs() < 0.01, "{concurrency}");
    let (_, rate) = scaler.metric("rate").await.unwrap();
    assert!((rate - 4.0 / 15.0).abs() < 1e-9, "{rate}");
}

#[tokio::test]
async fn a_table_that_does_not_parse_is_refused_and_the_old_one_stays() {
    let bench = Bench::start().await;
    let mut bad = table("v2", &[web()]);
    bad.workloads[0].keys.push(String::new());
    bench.control_plane.update(bad);
    let nack = || {
        let seen = bench.control_plane.seen.lock();
        seen.acks
            .iter()
            .find(|ack| ack.version == "v2")
            .map(|ack| ack.error.clone())
    };
    eventually("a nack", || nack().is_some()).await;
    assert_eq!(
        nack().unwrap(),
        "workload shop/Deployment/web: keys is missing"
    );
    let _worker = bench.scaler.worker(&[]).await;
    assert!(!bench.scaler.is_active(WEB).await.unwrap());
}

#[tokio::test]
async fn the_last_table_outlives_the_control_plane_and_is_named_when_it_is_back() {
    let Bench {
        scaler,
        control_plane,
    } = Bench::start().await;
    let addr = control_plane.stop().await;
    let _worker = scaler.worker(&[count(1, 0, 1)]).await;
    assert!(scaler.is_active(WEB).await.unwrap());
    let control_plane = ControlPlane::start_at(addr, table("v2", &[])).await;
    eventually("the new table is acked", || {
        control_plane
            .seen
            .lock()
            .acks
            .iter()
            .any(|ack| ack.version == "v2")
    })
    .await;
    assert_eq!(control_plane.seen.lock().hellos[0].version, "v1");
    refused(
        scaler.is_active(WEB).await,
        Code::NotFound,
        "no workload is known as service \"web\" in namespace \"shop\"; \
         nothing is known in that namespace",
    );
}

#[tokio::test]
async fn without_any_table_the_trigger_speaks_for_itself() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scaler = Scaler::start(nobody.local_addr().unwrap()).await;
    let mut keda = scaler.keda.clone();
    let no_table = "the scaler has no table from the control plane yet";
    let route = [("httpRoute", "front"), ("targetRate", "4")];
    refused(scaler.is_active(&route).await, Code::Unavailable, no_table);
    let specs = keda
        .get_metric_spec(object(&route))
        .await
        .unwrap()
        .into_inner()
        .metric_specs;
    assert_eq!(
        (specs[0].metric_name.as_str(), specs[0].target_size),
        ("rate", 4)
    );

    let mut stream = scaler.stream().await;
    let mut worker = scaler.worker(&[]).await;
    refused(scaler.is_active(WEB).await, Code::Unavailable, no_table);
    worker.report(false, &[count(1, 0, 1)]).await;
    assert!(
        soon("true", stream.message())
            .await
            .unwrap()
            .unwrap()
            .result
    );
    assert!(scaler.is_active(WEB).await.unwrap());
}

#[tokio::test]
async fn a_scaler_is_ready_with_its_first_table_and_counts_what_it_does() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scaler = Scaler::start(nobody.local_addr().unwrap()).await;
    let ready = get(&scaler, "/ready").await;
    assert!(
        ready.contains("waiting for: first table from the control plane"),
        "{ready}"
    );

    let bench = Bench::start().await;
    assert!(
        get(&bench.scaler, "/ready")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let mut stream = bench.scaler.stream().await;
    let _worker = bench.scaler.worker(&[count(1, 0, 1)]).await;
    soon("true", stream.message()).await.unwrap();
    bench.scaler.is_active(&[]).await.unwrap_err();
    let metrics = get(&bench.scaler, "/metrics").await;
    for line in [
        "wakegate_scaler_reports_total{outcome=\"taken\"} 1",
        "wakegate_scaler_keda_calls_total{rpc=\"IsActive\",code=\"INVALID_ARGUMENT\"} 1",
        "wakegate_scaler_streams{rpc=\"StreamIsActive\"} 1",
        "wakegate_scaler_streams{rpc=\"Report\"} 1",
        "wakegate_scaler_pushes_total 1",
        "wakegate_scaler_wake_seconds_count 1",
        "wakegate_scaler_control_plane_connected 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}
