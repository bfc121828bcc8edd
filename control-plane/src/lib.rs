//! Reads Gateway API, Ingress and KEDA objects, and pushes what follows from them: routes and readiness
//! to the filters, workloads to the scalers, endpoints to Envoy.
//!
//! ```text
//! source ─► index ─► snapshot ─┬─► push   Routes/Watch
//!                              └─► eds    EDS and ADS
//! ```

pub mod config;
pub mod debug;
pub mod eds;
pub mod index;
pub mod metrics;
pub mod object;
pub mod publish;
pub mod push;
pub mod snapshot;
pub mod source;
pub mod wanted;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::watch, task::block_in_place};
use tonic::transport::server::{Server, TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};
use wakegate_runtime::{Latch, Readiness, Tasks, admin, listen};

pub use self::config::{Args, Config};

use self::{
    config::Kubernetes,
    eds::Eds,
    metrics::Metrics,
    publish::Publisher,
    push::{Push, Workers},
    snapshot::Snapshot,
    source::{Reload, files::Files, kubernetes},
};

/// A peer that does not answer a ping for so long is gone. Filters go by heartbeats, which are faster.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// From so many changes on, taking them in may last: other tasks go to other threads meanwhile.
const MANY_CHANGES: usize = 100;

/// Runs the control plane until a signal.
///
/// # Errors
/// There is no source, an address cannot be bound, or a part failed.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let Config {
        source,
        gateway_classes: _,
        listen,
        admin_listen,
        address_file,
        drain_limit,
    } = config;
    let (grpc, grpc_addr) = listen::bind("gRPC", listen).await?;
    let (admin, admin_addr) = listen::bind("admin", admin_listen).await?;
    if let Some(file) = address_file {
        file.write(grpc_addr, admin_addr)?;
    }
    let (tasks, readiness) = (Tasks::default(), Readiness::default());
    let first_load = readiness.latch(match &source {
        config::Source::Files { .. } => "first load of the manifests",
        config::Source::Kubernetes(_) => "first sync with the API server",
    });
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (sender, snapshots) = watch::channel(None);
    let (workers, shutdown) = (Workers::default(), tasks.shutdown_token());

    let router = admin::router(registry, readiness);
    let router = router.merge(debug::router(snapshots.clone(), workers.clone()));
    let stop = shutdown.clone();
    tasks.spawn("admin", async {
        Ok(admin::serve(admin, router, stop).await?)
    });

    let push = Push::new(
        snapshots.clone(),
        workers,
        metrics.clone(),
        shutdown.clone(),
    );
    let eds = Eds::new(snapshots.clone(), metrics.clone(), shutdown.clone());
    let health = serve(&tasks, grpc, push, eds).await;
    tasks.spawn_short("readiness", ready(snapshots, first_load, health));
    let publisher = Publisher::new(sender, metrics.clone());
    match source {
        config::Source::Files { manifests } => {
            tasks.spawn("manifests", async move {
                let (files, first) = Files::open(manifests).context("manifests")?;
                let mut publish = publishing(publisher);
                publish(first);
                files.run(publish, shutdown).await
            });
        }
        config::Source::Kubernetes(config) => {
            start_kubernetes(&tasks, config, publisher, metrics).await?;
        }
    }
    tasks.run(drain_limit).await
}

/// Serves gRPC: not serving yet, as its health says, until the reporter is told otherwise.
async fn serve(tasks: &Tasks, listener: TcpListener, push: Push, eds: Eds) -> HealthReporter {
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    let server = server().add_service(health_service);
    let server = server.add_service(push.into_service());
    let server = server
        .add_service(eds.endpoint_service())
        .add_service(eds.aggregated_service());
    // What is pushed is small and waited for.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let stop = tasks.shutdown_token().cancelled_owned();
    tasks.spawn("gRPC", async {
        Ok(server.serve_with_incoming_shutdown(incoming, stop).await?)
    });
    health
}

/// Starts what reads from an API server, and what writes to it.
async fn start_kubernetes(
    tasks: &Tasks,
    config: Kubernetes,
    publisher: Publisher,
    metrics: Metrics,
) -> anyhow::Result<()> {
    let client = kubernetes::connect().await?;
    let source = kubernetes::Source::new(client, &config.namespaces, metrics);
    let shutdown = tasks.shutdown_token();
    tasks.spawn("kubernetes", source.run(publishing(publisher), shutdown));
    Ok(())
}

fn publishing(mut publisher: Publisher) -> impl FnMut(Reload) + Send {
    move |reload| {
        if reload.changes.len() < MANY_CHANGES {
            publisher.publish(reload);
        } else {
            block_in_place(|| publisher.publish(reload));
        }
    }
}

/// Says so everywhere when there is a first table.
async fn ready(
    mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    first_load: Latch,
    health: HealthReporter,
) {
    if snapshots.wait_for(Option::is_some).await.is_ok() {
        first_load.release();
        health.set_service_status("", ServingStatus::Serving).await;
    }
}

/// A server that takes any number of streams, and notices a peer that is gone.
fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(None)
}
