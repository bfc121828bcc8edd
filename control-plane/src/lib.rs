//! Reads Gateway API, Ingress and KEDA objects, and pushes what follows from them: routes and readiness
//! to the filters, workloads to the scalers, endpoints to Envoy.
//!
//! ```text
//! source ─► index ─► snapshot ─┬─► push     Routes/Watch
//!                              ├─► eds      EDS and ADS
//!                              └─► writers  ScaledObjects, Events, status
//! ```
//! Several replicas all push; one of them writes, and the others tell it how far their filters are (`peers`).

pub mod authority;
mod backoff;
mod cluster;
pub mod config;
pub mod debug;
pub mod eds;
pub mod index;
pub mod leader;
pub mod metrics;
pub mod module;
pub mod object;
pub mod peers;
pub mod publish;
pub mod push;
mod refusals;
pub mod snapshot;
pub mod source;
pub mod wanted;
pub mod writers;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use wakegate_runtime::{
    Clients, Latch, Readiness, StreamAge, Tasks, TlsSetting, Transport, admin, clients, health,
    listen, tls::TlsArgsError,
};

pub use self::config::{Args, Config};

use self::{
    cluster::Speech,
    config::{ModuleConfig, Source},
    eds::Eds,
    index::{Index, Parents, Serving},
    metrics::Metrics,
    peers::Peers,
    publish::Publisher,
    push::{Acks, Push, Workers},
    snapshot::Snapshot,
    source::files::Files,
};

/// How often it is looked for streams that nobody reads.
const UNREAD_INTERVAL: Duration = Duration::from_secs(1);

/// Streams of one connection: an Envoy may have one for each cluster whose endpoints it asks for.
const MAX_STREAMS: u32 = 32_768;

/// What several parts share.
#[derive(Debug)]
struct Shared {
    tasks: Tasks,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    workers: Workers,
    acks: Acks,
    metrics: Metrics,
    readiness: Readiness,
    stream_age: StreamAge,
    /// Where gRPC is served.
    grpc: SocketAddr,
}

/// Runs the control plane until a signal.
///
/// # Errors
/// There is no source, an address cannot be bound, certificates cannot be used, or a part failed.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let Config {
        source,
        gateway_classes,
        listen,
        admin_listen,
        module,
        address_file,
        tls,
        streams,
        drain_limit,
    } = config;
    let sockets = Sockets::bind(listen, admin_listen, module.as_ref()).await?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (sender, snapshots) = watch::channel(None);
    let tasks = Tasks::with_drain_delay(streams.drain_delay());
    let (workers, stream_age) = (Workers::default(), streams.age());
    let push = Push::new(
        snapshots.clone(),
        workers.clone(),
        metrics.clone(),
        stream_age,
        tasks.shutdown_token(),
    );
    let shared = Shared {
        tasks,
        snapshots,
        workers,
        acks: push.acks(),
        metrics: metrics.clone(),
        readiness: Readiness::default(),
        stream_age,
        grpc: sockets.grpc.1,
    };
    if let Some(file) = address_file {
        file.write(&sockets.addresses())?;
    }
    if let Some(module) = sockets.module {
        module.serve(&shared.tasks);
    }
    let (first_load, parents) = first_load(&source);
    let first_load = shared.readiness.latch(first_load);
    let serving = Serving {
        gateway_classes,
        parents,
    };
    let publisher = Publisher::new(Index::new(serving), sender, metrics);
    let speech = speech(tls, &shared)?;
    let first_certificate = shared.readiness.latch("first certificate");
    let transport = start(source, speech, publisher, &shared).await?;
    let transport = first(transport, first_certificate);
    serve(&shared, (sockets.grpc.0, transport), push, first_load).await;
    serve_admin(&shared, sockets.admin.0, registry);
    shared.tasks.run(drain_limit).await
}

/// Serves what an operator asks for.
fn serve_admin(shared: &Shared, listener: TcpListener, registry: Registry) {
    let debug = debug::router(shared.snapshots.clone(), shared.workers.clone());
    let router = admin::router(registry, shared.readiness.clone()).merge(debug);
    let stop = shared.tasks.shutdown_token();
    shared.tasks.spawn("admin", async {
        Ok(admin::serve(listener, router, stop).await?)
    });
}

/// What is bound before anything starts, so that an address in use ends the program at once.
#[derive(Debug)]
struct Sockets {
    grpc: (TcpListener, SocketAddr),
    admin: (TcpListener, SocketAddr),
    module: Option<module::Bound>,
}

impl Sockets {
    async fn bind(
        grpc: SocketAddr,
        admin: SocketAddr,
        module: Option<&ModuleConfig>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            grpc: listen::bind("gRPC", grpc).await?,
            admin: listen::bind("admin", admin).await?,
            module: match module {
                Some(module) => Some(module::Bound::new(module).await?),
                None => None,
            },
        })
    }

    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let mut addresses = vec![("grpc", self.grpc.1), ("admin", self.admin.1)];
        addresses.extend(self.module.iter().map(|module| ("module", module.address)));
        addresses
    }
}

/// Starts to read objects, and whatever becomes of them. What is returned says how gRPC is spoken, once that is known.
async fn start(
    source: Source,
    speech: Speech,
    publisher: Publisher,
    shared: &Shared,
) -> anyhow::Result<watch::Receiver<Option<Transport>>> {
    match (source, speech) {
        (Source::Files { manifests }, Speech::Said(transport)) => {
            start_files(&shared.tasks, manifests, publisher);
            Ok(transport)
        }
        (Source::Files { .. }, Speech::Own(_)) => Err(TlsArgsError::Neither.into()),
        (Source::Kubernetes(config), speech) => {
            cluster::start(*config, speech, publisher, shared).await
        }
    }
}

/// What the flags say of TLS.
fn speech(tls: TlsSetting, shared: &Shared) -> anyhow::Result<Speech> {
    match tls {
        TlsSetting::Unsaid { allowed } => Ok(Speech::Own(allowed)),
        said @ (TlsSetting::PlainText | TlsSetting::Directory { .. }) => {
            let metrics = shared.metrics.tls.clone();
            let transport = Transport::of(said, metrics, &shared.tasks)?;
            Ok(Speech::Said(
                watch::Sender::new(Some(transport)).subscribe(),
            ))
        }
    }
}

/// How gRPC is spoken, as soon as that is known; for ever when it never is.
async fn first(mut transport: watch::Receiver<Option<Transport>>, latch: Latch) -> Transport {
    let found = transport.wait_for(Option::is_some).await;
    match found.ok().and_then(|found| found.clone()) {
        Some(transport) => {
            latch.release();
            transport
        }
        None => std::future::pending().await,
    }
}

/// What is waited for before anything is served, and how far routes are held against Gateways.
fn first_load(source: &Source) -> (&'static str, Parents) {
    match source {
        Source::Files { .. } => ("first load of the manifests", Parents::IfAnyGateway),
        Source::Kubernetes(_) => ("first sync with the API server", Parents::Checked),
    }
}

/// Serves gRPC as soon as it is known how, and says that it does once there is a first table.
async fn serve(
    shared: &Shared,
    (listener, transport): (
        TcpListener,
        impl Future<Output = Transport> + Send + 'static,
    ),
    push: Push,
    first_load: Latch,
) {
    let Shared {
        tasks,
        snapshots,
        workers,
        acks: _,
        metrics,
        readiness,
        stream_age,
        grpc: _,
    } = shared;
    let shutdown = tasks.shutdown_token();
    let eds = Eds::new(
        snapshots.clone(),
        metrics.clone(),
        *stream_age,
        shutdown.clone(),
    );
    let (health, health_service) = tonic_health::server::health_reporter();
    health::follow(tasks, readiness, health, &[""]).await;
    let server = stream_age.server(MAX_STREAMS).add_service(health_service);
    tasks.spawn(
        "unread",
        end_unread(push.clients(), metrics.clone(), shutdown.clone()),
    );
    let peers = Peers::new(workers.clone(), shutdown.clone());
    let server = server
        .add_service(push.into_service())
        .add_service(peers.into_service());
    let server = server
        .add_service(eds.endpoint_service())
        .add_service(eds.aggregated_service());
    tasks.spawn("gRPC", async move {
        let Some(transport) = shutdown.run_until_cancelled(transport).await else {
            return Ok(());
        };
        let incoming = transport.incoming(listener);
        let stop = shutdown.clone().cancelled_owned();
        let server = server.serve_with_incoming_shutdown(incoming, stop);
        Ok(clients::serve_until(server, shutdown).await?)
    });
    tasks.spawn_short("readiness", ready(snapshots.clone(), first_load));
}

/// Ends the streams that nobody reads.
async fn end_unread(
    clients: Clients,
    metrics: Metrics,
    shutdown: tokio_util::sync::CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = interval(UNREAD_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.refusals.unread(clients.end_unread());
    }
    Ok(())
}

/// Reads manifests, and whatever becomes of them.
fn start_files(tasks: &Tasks, manifests: PathBuf, publisher: Publisher) {
    let shutdown = tasks.shutdown_token();
    tasks.spawn("manifests", async move {
        let (files, first) = Files::open(manifests).context("manifests")?;
        let mut publish = publisher.publishing();
        publish(first);
        files.run(publish, shutdown).await
    });
}

/// Says so everywhere when there is a first table.
async fn ready(mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>, first_load: Latch) {
    if snapshots.wait_for(Option::is_some).await.is_ok() {
        first_load.release();
    }
}
