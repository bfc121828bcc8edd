//! The scaler: reports of workers in, answers to KEDA out.
//!
//! ```text
//! filters ──Demand/Report──► report ─┐           ┌─ keda ◄──ExternalScaler── KEDA
//!                                    ├─► state ◄─┤
//! control plane ──Routes/Watch──► routes         ├─ tick: ages, counts
//! other replicas ◄──Ledgers/Follow──► ledgers ◄──┘
//! ```
//!
//! What is decided is decided in `wakegate_core` ([`Ledger`](wakegate_core::Ledger),
//! [`scale`](wakegate_core::scale()), [`Push`](wakegate_core::Push)); here are sockets and clocks.

mod backoff;
mod config;
mod keda;
mod ledgers;
mod metrics;
mod report;
mod routes;
mod server;
mod state;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use wakegate_runtime::{AddressFile, Clients, Readiness, Tasks, Transport, admin, listen};

use self::{
    ledgers::Replicas,
    metrics::{AddOnMetrics, Metrics},
    routes::Subscriber,
    server::Serve,
    state::State,
};

pub use self::config::{Args, Config};

/// How often silence is noticed and gauges are set.
const TICK: Duration = Duration::from_secs(1);

/// Where a scaler listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// `Demand`, `ExternalScaler` and health.
    pub grpc: SocketAddr,
    /// `/live`, `/ready`, `/metrics`.
    pub admin: SocketAddr,
}

/// Runs a scaler until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// An address cannot be bound, a part failed, or streams did not end in time.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let drain_limit = config.drain_limit;
    let tasks = Tasks::with_drain_delay(config.streams.drain_delay());
    start(config, &tasks).await?;
    tasks.run(drain_limit).await
}

/// Binds, and spawns all parts of a scaler. It is ready when the first table came, and what other replicas know.
///
/// # Errors
/// An address cannot be bound, the address file not be written, or the certificates not be used.
pub async fn start(config: Config, tasks: &Tasks) -> anyhow::Result<Addresses> {
    let Config {
        control_plane,
        name,
        peers,
        listen,
        admin_listen,
        address_file,
        settling,
        http_add_on_metrics,
        tls,
        streams,
        drain_limit: _,
    } = config;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let transport = Transport::of(tls, metrics.tls.clone(), tasks)?;
    let state = State::new(settling, metrics);
    let state = with_add_on(state, http_add_on_metrics, &mut registry);
    let readiness = Readiness::default();
    let table = readiness.latch("first table from the control plane");

    let (grpc_listener, grpc) = listen::bind("gRPC", listen).await?;
    let (admin_listener, admin) = listen::bind("admin", admin_listen).await?;
    if let Some(path) = address_file {
        AddressFile::new(path).write(&[("grpc", grpc), ("admin", admin)])?;
    }

    let shutdown = tasks.shutdown_token();
    let own = ledgers::own(&name);
    if peers.is_empty() {
        state.synced().cancel();
    } else {
        let (transport, state) = (transport.clone(), Arc::clone(&state));
        let replicas = Replicas::new(peers, own.clone(), transport, state, tasks.clone());
        let latch = readiness.latch("ledgers of the other replicas");
        tasks.spawn("replicas", replicas.run(latch, shutdown.clone()));
    }
    let control_plane = (control_plane, transport.clone());
    let subscriber = Subscriber::new(control_plane, name, Arc::clone(&state), table);
    tasks.spawn("routes", subscriber.run(shutdown.clone()));
    let clients = [server::REPORT_STREAMS, server::FOLLOW_STREAMS].map(Clients::new);
    tasks.spawn(
        "tick",
        tick(Arc::clone(&state), clients.clone(), shutdown.clone()),
    );
    let serve = Serve {
        state,
        clients,
        own,
        stream_age: streams.age(),
        readiness: readiness.clone(),
        tasks: tasks.clone(),
    };
    tasks.spawn("grpc", serve.run(transport.incoming(grpc_listener)));
    let router = admin::router(registry, readiness);
    let served = admin::serve(admin_listener, router, shutdown);
    tasks.spawn("admin", async {
        served.await.context("serve admin endpoints")
    });
    Ok(Addresses { grpc, admin })
}

/// With the metrics of the add-on, where they are wanted.
fn with_add_on(state: State, http_add_on_metrics: bool, registry: &mut Registry) -> Arc<State> {
    if !http_add_on_metrics {
        return Arc::new(state);
    }
    let state = Arc::new(state.with_add_on());
    AddOnMetrics::register(registry, Arc::clone(&state));
    state
}

async fn tick(
    state: Arc<State>,
    clients: [Clients; 2],
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        state.tick();
        for clients in &clients {
            state.metrics.refusals.unread(clients.end_unread());
        }
    }
    Ok(())
}
