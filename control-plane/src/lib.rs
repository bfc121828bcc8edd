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

use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tonic::transport::server::{Server, TcpIncoming};
use wakegate_runtime::{Readiness, Tasks, admin, listen};

pub use self::config::{Args, Config};

use self::{
    eds::Eds, metrics::Metrics, publish::Publisher, push::Push, push::Workers, source::files::Files,
};

/// A peer that does not answer a ping for so long is gone. Filters go by heartbeats, which are faster.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the control plane until a signal.
///
/// # Errors
/// The manifests cannot be read, an address cannot be bound, or a part failed.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let Config {
        manifests,
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
    let first_load = readiness.latch("first load of the manifests");
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
    let eds = Eds::new(snapshots, metrics.clone(), shutdown.clone());
    let (health, health_service) = tonic_health::server::health_reporter();
    let server = server().add_service(health_service);
    let server = server.add_service(push.into_service());
    let server = server
        .add_service(eds.endpoint_service())
        .add_service(eds.aggregated_service());
    // What is pushed is small and waited for.
    let incoming = TcpIncoming::from(grpc).with_nodelay(Some(true));
    let stop = shutdown.clone();
    tasks.spawn("gRPC", async {
        Ok(server
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
            .await?)
    });

    let mut publisher = Publisher::new(sender, metrics);
    tasks.spawn("manifests", async move {
        let (files, first) = Files::open(manifests).context("manifests")?;
        publisher.publish(first);
        first_load.release();
        health
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        files
            .run(|reload| publisher.publish(reload), shutdown)
            .await
    });
    tasks.run(drain_limit).await
}

/// A server that takes any number of streams, and notices a peer that is gone.
fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(None)
}
