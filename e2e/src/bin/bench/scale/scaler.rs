//! One scaler, a thousand proxies of four workers, ten thousand keys: what it takes of the machine, and how soon
//! it answers meanwhile.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::transport::Endpoint;
use wakegate_e2e::stats::Times;
use wakegate_e2e::{Daemon, NAMESPACE, Service, until};
use wakegate_wire::Assembler;
use wakegate_wire::v1::routes_client::RoutesClient;
use wakegate_wire::v1::{Hello, KeyReport, WatchRequest, watch_request, watch_response};

use super::keda::Keda;
use super::reporters::{Known, Reporter, Reporters};
use super::world::World;
use super::{Sizes, usage};
use crate::args::Args;
use crate::line::Line;

const PART: &str = "Scaler: many workers";

/// Far beyond what any step takes.
const LIMIT: Duration = Duration::from_mins(2);

/// Keys that each report names. At 4,000 workers and 10,000 keys every key is named by so many workers that its
/// numbers are new ten times in a second; four times as many is a fleet that is busy everywhere.
pub(crate) const NAMED: [usize; 2] = [25, 100];

pub(crate) async fn measure(args: &Args, n_named: usize) -> Result<Vec<Line>> {
    let sizes = Sizes::of(args.quick);
    let mut world = World::start(sizes.routes).await?;
    let known = Arc::new(known(world.control_plane.addresses().grpc).await?);
    let lines = at_load(&world, &known, (sizes, n_named), args).await?;
    world.control_plane.terminate().await?;
    Ok(lines)
}

async fn at_load(
    world: &World,
    known: &Arc<Known>,
    (sizes, n_named): (Sizes, usize),
    args: &Args,
) -> Result<Vec<Line>> {
    let control_plane = world.control_plane.addresses().grpc;
    let args_of = vec![format!("--control-plane=http://{control_plane}")];
    let mut scaler = Daemon::start("wakegate-scaler", world.folder(), args_of).await?;
    scaler.ready().await?;
    let address = scaler.addresses().grpc;
    let mut workers = Reporters::start(&[address], sizes.reporters, known, n_named);
    let ended = until(LIMIT, "all workers report", || {
        let all = (workers.n_reporting() == sizes.reporters).then_some(Ok(()));
        all.or_else(|| workers.are_well().err().map(Err))
    });
    ended.await??;
    let asked_for = world.services.get(..sizes.scaled_objects);
    let asked_for = asked_for.context("as many Services as ScaledObjects")?;
    let mut keda = Keda::start(address, asked_for).await?;
    // Until the histories are as long as they get: the longest window that is asked for is a minute.
    let (settle, span) = if args.quick { (5, 5) } else { (75, 30) };
    tokio::time::sleep(Duration::from_secs(settle)).await;
    workers.measure();
    keda.measure();
    let (began, before) = (Instant::now(), usage::cpu_time(&scaler)?);
    tokio::time::sleep(Duration::from_secs(span)).await;
    let cpu = usage::cpu_time(&scaler)?.saturating_sub(before);
    let cores = cpu.as_secs_f64() / began.elapsed().as_secs_f64();
    workers.are_well()?;
    let edges = edges(address, known, asked_for, &mut keda, args).await?;
    let load = format!(
        "{} workers, {} keys, {n_named} of them in each report",
        sizes.reporters, sizes.routes
    );
    let (is_active, metrics, n_failed) = keda.answered();
    let keda = format!("{load}; {} ScaledObjects", sizes.scaled_objects);
    let lines = vec![
        Line::new(PART, format!("{load}: CPU"))
            .figure("CPU", cores, "cores")
            .at_most("CPU", 1.0),
        Line::new(PART, format!("{load}: memory"))
            .figure("resident", usage::resident_mb(&scaler)?, "MB")
            .figure("peak", usage::peak_mb(&scaler)?, "MB")
            .at_most("resident", 500.0),
        Line::new(PART, format!("{load}: report → ack")).times(&workers.acked_after()),
        Line::new(PART, format!("{keda}: `IsActive` → answer"))
            .times(&is_active)
            .count("refused", n_failed),
        Line::new(PART, format!("{keda}: `GetMetrics` → answer")).times(&metrics),
        Line::new(PART, format!("{keda}: a first request is held → `true`"))
            .times(&edges)
            .at_most("p99", 5.0),
    ];
    drop((workers, keda));
    scaler.terminate().await?;
    Ok(lines)
}

/// One more worker holds a first request of one key after the other: how soon KEDA's stream says `true`.
pub(super) async fn edges(
    scaler: SocketAddr,
    known: &Arc<Known>,
    services: &[Service],
    keda: &mut Keda,
    args: &Args,
) -> Result<Times> {
    let mut worker = Reporter::open(scaler, usize::from(u16::MAX), Arc::clone(known)).await?;
    worker.report([]).await?;
    let n_edges = if args.quick { 20 } else { 200 };
    let mut millis = Vec::new();
    let step = (services.len() / n_edges).max(1);
    for (at, service) in services.iter().enumerate().step_by(step) {
        while keda.told.try_recv().is_ok() {}
        let held = |held| KeyReport {
            key: format!("service/{NAMESPACE}/{}", service.name),
            held,
            started: 1,
            ended: u64::from(1 - held),
            ..KeyReport::default()
        };
        let sent = Instant::now();
        worker.report([held(1)]).await?;
        let told = async {
            loop {
                match keda.told.recv().await {
                    Some((told, when)) if told == at => return Ok(when),
                    Some(_) => {}
                    None => bail!("KEDA's streams ended"),
                }
            }
        };
        let told = timeout(LIMIT, told).await.context("KEDA is told")??;
        millis.push(told.saturating_duration_since(sent).as_secs_f64() * 1e3);
        worker.report([held(0)]).await?;
    }
    Ok(Times::of(millis))
}

/// The keys of a whole table, and their digest, as a filter takes them from its first update.
pub(super) async fn known(control_plane: SocketAddr) -> Result<Known> {
    let endpoint = Endpoint::from_shared(format!("http://{control_plane}"))?;
    let channel = endpoint.connect().await;
    let mut client = RoutesClient::new(channel.context("connect to the control plane")?);
    let hello = Hello {
        proxy: "bench".to_owned(),
        release: "bench".to_owned(),
        protocol: 1,
        ..Hello::default()
    };
    let hello = WatchRequest {
        request: Some(watch_request::Request::Hello(hello)),
    };
    let requests = tokio_stream::once(hello).chain(tokio_stream::pending());
    let mut responses = client.watch(requests).await?.into_inner();
    let mut assembler = Assembler::default();
    loop {
        let response = responses.message().await?.context("a table")?;
        let Some(watch_response::Response::Update(update)) = response.response else {
            continue;
        };
        let Some(table) = assembler.push(update)? else {
            continue;
        };
        let targets = table.routes.iter().flat_map(|route| &route.targets);
        let keys: BTreeSet<_> = targets.map(|target| &target.key).collect();
        let digest = keys
            .iter()
            .fold(0_u64, |sum, key| sum.wrapping_add(key.digest()));
        let keys = keys.iter().map(|key| key.as_str().to_owned()).collect();
        return Ok(Known { keys, digest });
    }
}
