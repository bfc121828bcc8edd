//! Three replicas of the scaler, and the same workers and keys as at one: what each takes of the machine, what passes
//! between them, and how soon one answers for what another hears.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wakegate_e2e::{Addresses, Daemon, Samples, eventually, free_address, until};

use super::keda::Keda;
use super::reporters::{Known, Reporters};
use super::scaler::{edges, known};
use super::world::World;
use super::{Sizes, usage};
use crate::args::Args;
use crate::line::{Line, as_f64};

const PART: &str = "Scaler: three replicas";

const N_REPLICAS: usize = 3;

/// Far beyond what any step takes.
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) async fn measure(args: &Args, n_named: usize) -> Result<Vec<Line>> {
    let sizes = Sizes::of(args.quick);
    let mut world = World::start(sizes.routes).await?;
    let known = Arc::new(known(world.control_plane.addresses().grpc).await?);
    let mut scalers = replicas(&world).await?;
    let addresses: Vec<_> = scalers
        .iter()
        .map(|scaler| scaler.addresses().grpc)
        .collect();
    let mut workers = Reporters::start(&addresses, sizes.reporters, &known, n_named);
    let ended = until(LIMIT, "all workers report", || {
        let all = (workers.n_reporting() == sizes.reporters).then_some(Ok(()));
        all.or_else(|| workers.are_well().err().map(Err))
    });
    ended.await??;
    let load = format!(
        "{} workers over {N_REPLICAS} replicas, {} keys, {n_named} of them in each report",
        sizes.reporters, sizes.routes
    );
    let (settle, span) = if args.quick { (5, 5) } else { (75, 30) };
    tokio::time::sleep(Duration::from_secs(settle)).await;
    let span = Duration::from_secs(span);
    let mut lines = at_rest(&scalers, span, &load).await?;
    workers.are_well()?;
    lines.push(edge(&world, &addresses, &known, (args, &load)).await?);
    workers.are_well()?;
    lines.push(resync(&world, &addresses, &load).await?);
    drop(workers);
    for scaler in &mut scalers {
        scaler.terminate().await?;
    }
    world.control_plane.terminate().await?;
    Ok(lines)
}

/// Replicas that know each other, each with a folder of its own.
async fn replicas(world: &World) -> Result<Vec<Daemon>> {
    let addresses = (0..N_REPLICAS).map(|_| free_address());
    let addresses = addresses.collect::<Result<Vec<_>>>()?;
    let mut scalers = Vec::new();
    for (number, grpc) in addresses.iter().enumerate() {
        scalers.push(replica(world, number, *grpc, &addresses).await?);
    }
    for scaler in &scalers {
        scaler.ready().await?;
    }
    Ok(scalers)
}

async fn replica(
    world: &World,
    number: usize,
    grpc: SocketAddr,
    peers: &[SocketAddr],
) -> Result<Daemon> {
    let folder = world.folder().join(format!("scaler-{number}"));
    std::fs::create_dir_all(&folder).context("make a folder")?;
    let control_plane = world.control_plane.addresses().grpc;
    let mut args = vec![format!("--control-plane=http://{control_plane}")];
    args.extend(peers.iter().map(|peer| format!("--peer={peer}")));
    let addresses = Addresses {
        grpc,
        ..Addresses::ANY
    };
    Daemon::start_at(addresses, "wakegate-scaler", &folder, args).await
}

/// What each takes, and what passes between them, each second.
async fn at_rest(scalers: &[Daemon], span: Duration, load: &str) -> Result<Vec<Line>> {
    let began = Instant::now();
    let mut before = Vec::new();
    for scaler in scalers {
        let samples = scaler.samples().await?;
        before.push((usage::cpu_time(scaler)?, sent(&samples)));
    }
    tokio::time::sleep(span).await;
    let mut cpu = Line::new(PART, format!("{load}: CPU of each"));
    let mut memory = Line::new(PART, format!("{load}: memory of each"));
    let mut exchange = Line::new(PART, format!("{load}: sent by each to the others"));
    for (number, (scaler, before)) in scalers.iter().zip(before).enumerate() {
        let passed = began.elapsed().as_secs_f64();
        let used = usage::cpu_time(scaler)?.saturating_sub(before.0);
        let cores = used.as_secs_f64() / passed;
        let (bytes, messages) = sent(&scaler.samples().await?);
        let name = format!("replica {number}");
        cpu = cpu.figure(&name, cores, "cores");
        memory = memory
            .figure(&name, usage::resident_mb(scaler)?, "MB")
            .figure(format!("{name}, peak"), usage::peak_mb(scaler)?, "MB");
        exchange = exchange
            .figure(&name, (bytes - before.1.0) / passed / 1e6, "MB/s")
            .figure(
                format!("{name}, messages"),
                (messages - before.1.1) / passed,
                "/s",
            );
    }
    Ok(vec![cpu, memory, exchange])
}

/// Bytes and messages that a replica sent to others.
fn sent(samples: &Samples) -> (f64, f64) {
    let labels = "{direction=\"sent\"}";
    let value = |name: &str| samples.sum(&format!("{name}{labels}"));
    (
        value("wakegate_scaler_peer_bytes_total"),
        value("wakegate_scaler_peer_messages_total"),
    )
}

/// A first request is held at the last replica: how soon the first tells KEDA.
async fn edge(
    world: &World,
    addresses: &[SocketAddr],
    known: &Arc<Known>,
    (args, load): (&Args, &str),
) -> Result<Line> {
    let sizes = Sizes::of(args.quick);
    let asked_for = world.services.get(..sizes.scaled_objects);
    let asked_for = asked_for.context("as many Services as ScaledObjects")?;
    let (first, last) = (addresses.first(), addresses.last());
    let first = *first.context("a replica")?;
    let mut keda = Keda::start(first, asked_for).await?;
    let last = *last.context("a replica")?;
    let times = edges(last, known, asked_for, &mut keda, args).await?;
    let what = format!(
        "{load}; {} ScaledObjects: a first request is held at one → `true` of another",
        sizes.scaled_objects
    );
    Ok(Line::new(PART, what).times(&times))
}

/// One more comes: how long until it has the whole of all others.
async fn resync(world: &World, addresses: &[SocketAddr], load: &str) -> Result<Line> {
    let began = Instant::now();
    let grpc = free_address()?;
    let mut newcomer = replica(world, addresses.len(), grpc, addresses).await?;
    let listens = began.elapsed();
    let whole = eventually(LIMIT, "the newcomer has the whole", async || {
        let samples = newcomer.samples().await.ok()?;
        let n_resyncs = samples.sum("wakegate_scaler_resyncs_total");
        (n_resyncs >= as_f64(addresses.len())).then_some(samples)
    });
    let samples = whole.await?;
    let took = began.elapsed().saturating_sub(listens);
    newcomer.ready().await?;
    let taken = samples.sum("wakegate_scaler_peer_bytes_total{direction=\"taken\"}");
    let line = Line::new(
        PART,
        format!("{load}: a newcomer takes in all three ledgers"),
    )
    .figure("took", took.as_secs_f64(), "s")
    .figure("taken", taken / 1e6, "MB")
    .figure("peak", usage::peak_mb(&newcomer)?, "MB");
    newcomer.terminate().await?;
    Ok(line)
}
