//! Clients of the scaler and of the control plane that mean no good cost a bounded amount of memory and a line
//! of the log, and change nothing for anybody else.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::{self, FuturesUnordered};
use futures::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use wakegate_e2e::client::{H2, Raw, full, get, post, read};
use wakegate_e2e::{
    Background, Daemon, NAMESPACE, Service, Stack, eventually, eventually_is, resources,
};
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;
use wakegate_wire::externalscaler::{GetMetricsRequest, ScaledObjectRef};
use wakegate_wire::v1::demand_client::DemandClient;
use wakegate_wire::v1::routes_client::RoutesClient;
use wakegate_wire::v1::{self, watch_request::Request};

const SOON: Duration = Duration::from_secs(20);

const N_STREAMS: usize = 10_000;

/// As many as one connection may have, in either daemon.
const N_SERVED: f64 = 4_096.0;

/// Those of Envoy's workers and of the autoscaler.
const N_OTHERS: f64 = 3.0 + 2.0;

/// What a daemon may take for them: 50 KB each in a debug build, of which most is the gRPC stack's.
const MAX_GROWTH: f64 = 256.0 * MIB;
const MIB: f64 = 1_048_576.0;

#[tokio::test]
async fn ten_thousand_streams_are_refused_beyond_a_bound() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let autoscaler = stack.autoscale(&shop)?;
    let before = (resident(&stack.scaler)?, resident(&stack.control_plane)?);

    let demand = DemandClient::new(channel(&stack.scaler, None).await?);
    let reports = served(|| {
        let mut demand = demand.clone();
        async move { demand.report(stream::pending()).await }
    });
    let routes = RoutesClient::new(channel(&stack.control_plane, None).await?);
    let updates = served(|| {
        let mut routes = routes.clone();
        async move { routes.watch(saying(vec![hello("stranger")])).await }
    });
    let (reports, updates) = tokio::join!(reports, updates);

    // Everybody else is served while they are there.
    let answer = stack.get(&shop, "/").await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    let n_open = async || {
        let samples = stack.scaler.samples().await.ok()?;
        let n_open = samples.sum("wakegate_scaler_streams");
        (n_open > 0.0 && n_open <= N_SERVED + N_OTHERS).then_some(())
    };
    eventually(SOON, "as many streams are open as may be", n_open).await?;
    for (daemon, before) in [(&stack.scaler, before.0), (&stack.control_plane, before.1)] {
        let growth = resident(daemon)? - before;
        ensure!(growth < MAX_GROWTH, "{:.0} MiB", growth / MIB);
        is_counted_and_logged_once(daemon, "connection_streams").await?;
    }
    drop((reports, updates));
    drop(autoscaler);
    stack.finish().await
}

#[tokio::test]
async fn garbage_and_streams_that_nobody_reads_are_ended() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let deaf = channel(&stack.scaler, Some(1)).await?;
    let mut deaf = DemandClient::new(deaf);
    let worker = report(instance("deaf", 1, 1), Vec::new());
    let acks = deaf.report(saying(vec![worker])).await?;
    let deaf = channel(&stack.control_plane, Some(1)).await?;
    let mut deaf = RoutesClient::new(deaf);
    let updates = deaf.watch(saying(vec![hello("deaf")])).await?;
    let is_seated = async || {
        let subscribers = stack.control_plane.ask("/debug/routes").await?;
        Ok(subscribers.text().contains("\"deaf\""))
    };
    eventually_is(SOON, "the deaf client is there", true, is_seated).await?;

    for (daemon, method) in [
        (&stack.scaler, "Demand/Report"),
        (&stack.control_plane, "Routes/Watch"),
    ] {
        send_garbage(daemon, method).await?;
        is_counted_and_logged_once(daemon, "garbage").await?;
    }
    let connection = H2::open(stack.address()?).await?;
    let held = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;

    for daemon in [&stack.scaler, &stack.control_plane] {
        is_counted_and_logged_once(daemon, "unread").await?;
    }
    eventually_is(SOON, "the deaf client is there", false, is_seated).await?;
    drop((acks, updates));
    let app = stack.wake(&shop).await?;
    ensure!(read(held.await?).await?.status == 200);
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn another_workers_name_and_numbers_that_overflow_change_no_others_sum() -> Result<()> {
    let (shop, blog) = (Service::new("shop"), Service::new("blog"));
    let stack = Stack::of(&[&shop, &blog]).await?;
    let connection = H2::open(stack.address()?).await?;
    let held = connection.send(get(&shop.url("/"))?);
    let concurrency = async || concurrency(&stack.scaler, "shop").await;
    eventually_is(SOON, "requests at once", 1.0, concurrency).await?;

    let demand = DemandClient::new(channel(&stack.scaler, None).await?);
    let huge = |service: &Service| v1::KeyReport {
        key: format!("service/{NAMESPACE}/{}", service.name),
        held: u32::MAX,
        running: u32::MAX,
        started: u64::MAX,
        ended: u64::MAX,
        shed: u64::MAX,
        integral_ms: u64::MAX,
    };
    // Ordinals begin at 1; which of them are alive is not known here, and all others are nobody's.
    let claims = (1..=3).flat_map(|worker| [(worker, 1), (worker, u64::MAX)]);
    let claims = claims.map(|(worker, boot_id)| {
        let claim = report(
            instance("envoy-under-test", worker, boot_id),
            vec![huge(&shop)],
        );
        let mut demand = demand.clone();
        async move {
            let mut acks = demand.report(saying(vec![claim])).await?.into_inner();
            end_of(&mut acks).await
        }
    });
    for status in futures::future::join_all(claims).await {
        let status = status.err().context("a claim was taken")?;
        ensure!(status.code() == Code::Aborted, "{status}");
    }
    is_counted_and_logged_once(&stack.scaler, "identity").await?;

    let mut acks = Vec::new();
    for (worker, boot_id) in [(0, 0), (u32::MAX, u64::MAX)] {
        let report = v1::ReportRequest {
            sequence: u64::MAX,
            now_ms: u64::MAX,
            known_digest: u64::MAX,
            ..report(instance("stranger", worker, boot_id), vec![huge(&blog)])
        };
        let stream = demand.clone().report(saying(vec![report])).await?;
        let mut stream = stream.into_inner();
        let ack = stream.message().await?.context("an ack")?;
        ensure!(ack.acked == u64::MAX, "{ack:?}");
        acks.push(stream);
    }
    let other = self::concurrency(&stack.scaler, "blog").await?;
    ensure!(other >= f64::from(u32::MAX), "{other}");
    let sum = concurrency().await?;
    ensure!(
        (sum - 1.0).abs() < f64::EPSILON,
        "another Service's sum: {sum}"
    );

    let app = stack.wake(&shop).await?;
    ensure!(read(held.await?).await?.status == 200);
    app.stop(SOON).await?;
    stack.finish().await
}

/// Opens many streams, and reads those that were opened as long as this is kept.
async fn served<T, F>(open: impl Fn() -> F) -> Background
where
    T: Send + 'static,
    F: Future<Output = Result<tonic::Response<Streaming<T>>, Status>>,
{
    let mut opening: FuturesUnordered<_> = (0..N_STREAMS).map(|_| open()).collect();
    let mut served = Vec::new();
    while let Some(opened) = opening.next().await {
        // The others are told why, unless one of the two ends takes the connection for hostile, and closes it.
        served.extend(opened.map(tonic::Response::into_inner));
    }
    Background::start(stream::select_all(served).for_each(|_| std::future::ready(())))
}

/// Bytes that are no HTTP/2, no frames, no gRPC, no message.
async fn send_garbage(daemon: &Daemon, method: &str) -> Result<()> {
    let address = daemon.addresses().grpc;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    for bytes in [
        b"\0\xff\x13\x37".repeat(1_000).as_slice(),
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        &[preface, &b"\xff\xff\xff\xff".repeat(1_000)].concat(),
    ] {
        let mut client = Raw::open(address).await?;
        // It may be cut off before all is sent, and that is as good an end as any.
        drop(client.send(bytes).await);
        drop(client.read_until(SOON, |_| false).await);
    }
    let connection = H2::open(address).await?;
    for message in [
        b"\0\0\0\0\x04\xff\xff\xff\xff".as_slice(),
        b"\0\xff\xff\xff\xff\x01",
        b"\x01\0\0\0\x01\0",
        b"\x07\0\0\0\0",
    ] {
        let url = format!("http://{address}/wakegate.v1.{method}");
        let mut request = post(&url, full(message))?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/grpc".parse()?);
        headers.insert("te", "trailers".parse()?);
        let answer = read(connection.send(request).await?).await?;
        let status = answer.trailers.get("grpc-status");
        let status = status.or_else(|| answer.headers.get("grpc-status"));
        let status = status.context("it is told")?.to_str()?.to_owned();
        ensure!(status != "0", "{message:?} was taken");
    }
    Ok(())
}

/// Waits until something was refused for `reason`; the log has one line of it, for all is within a minute.
async fn is_counted_and_logged_once(daemon: &Daemon, reason: &str) -> Result<()> {
    let label = format!("reason=\"{reason}\"");
    eventually(SOON, &format!("{label} is counted"), async || {
        let metrics = daemon.ask("/metrics").await.ok()?.text();
        let mut lines = metrics.lines();
        lines.find(|line| line.contains("_refused_total{") && line.contains(&label))?;
        Some(())
    })
    .await
    .with_context(|| daemon.tail())?;
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("client refused"));
    let n_lines = lines.filter(|line| line.contains(&label)).count();
    ensure!(n_lines == 1, "{n_lines} lines of {label}:\n{log}");
    Ok(())
}

/// What KEDA is told of a Service's requests at once.
async fn concurrency(scaler: &Daemon, service: &str) -> Result<f64> {
    let object = ScaledObjectRef {
        name: service.to_owned(),
        namespace: NAMESPACE.to_owned(),
        scaler_metadata: [("service".to_owned(), service.to_owned())].into(),
    };
    let request = GetMetricsRequest {
        scaled_object_ref: Some(object),
        metric_name: "concurrency".to_owned(),
    };
    let mut keda = ExternalScalerClient::new(channel(scaler, None).await?);
    let answer = keda.get_metrics(request).await?.into_inner();
    let value = answer.metric_values.first().context("a value")?;
    Ok(value.metric_value_float)
}

/// A connection that gives each stream room for so many bytes.
async fn channel(daemon: &Daemon, window: Option<u32>) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", daemon.addresses().grpc))?;
    let endpoint = endpoint.initial_stream_window_size(window);
    endpoint.connect().await.context("connect")
}

/// A client that says these and then nothing, and stays.
fn saying<T: Send + 'static>(messages: Vec<T>) -> impl Stream<Item = T> + Send + 'static {
    stream::iter(messages).chain(stream::pending())
}

fn hello(proxy: &str) -> v1::WatchRequest {
    let hello = v1::Hello {
        proxy: proxy.to_owned(),
        protocol: 1,
        ..v1::Hello::default()
    };
    v1::WatchRequest {
        request: Some(Request::Hello(hello)),
    }
}

fn instance(proxy: &str, worker: u32, boot_id: u64) -> v1::Instance {
    v1::Instance {
        proxy: proxy.to_owned(),
        worker,
        boot_id,
        ..v1::Instance::default()
    }
}

fn report(instance: v1::Instance, keys: Vec<v1::KeyReport>) -> v1::ReportRequest {
    v1::ReportRequest {
        instance: Some(instance),
        sequence: 1,
        full: true,
        keys,
        ..v1::ReportRequest::default()
    }
}

/// How a stream ends; an ack of the first report says that it was taken.
async fn end_of(acks: &mut Streaming<v1::ReportResponse>) -> Result<(), Status> {
    while let Some(ack) = acks.message().await? {
        if ack.acked > 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// The memory that a daemon has, in bytes.
fn resident(daemon: &Daemon) -> Result<f64> {
    resources::resident_bytes(daemon.pid().context("it runs")?)
}
