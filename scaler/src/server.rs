//! The gRPC server: `Demand` for filters, `ExternalScaler` for KEDA, health for both.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::pb::health_server::{Health, HealthServer};
use wakegate_runtime::{
    Readiness, Tasks,
    clients::{self, Limits},
    health,
};
use wakegate_wire::{
    externalscaler::external_scaler_server::ExternalScalerServer, v1::demand_server,
};

use crate::{keda::Keda, report::DemandServer, state::State};

/// A report with all keys of a table of 20,000 routes has 1 to 2 MB.
const MAX_REPORT_BYTES: usize = 4 << 20;

/// A trigger's metadata; etcd takes objects of 1.5 MB.
const MAX_TRIGGER_BYTES: usize = 2 << 20;

/// Streams of one connection: two for each of 10,000 ScaledObjects, which share one of KEDA's, with room.
const MAX_STREAMS: u32 = 32_768;

/// Report streams: four times the workers that one scaler is built for; those on one connection are as many,
/// for a mesh may carry all workers on one.
pub(crate) const REPORT_STREAMS: Limits = Limits {
    total: 16_384,
    per_connection: 4_096,
};

/// KEDA has no keepalive of its own: ours finds a connection that died without a word.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long a peer may take to answer a keepalive.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until the shutdown; then every stream ends with OK, and so does this.
pub(crate) async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    demand: DemandServer,
    health: HealthServer<impl Health>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let keda = Keda::new(state, shutdown.clone());
    let keda = ExternalScalerServer::new(keda).max_decoding_message_size(MAX_TRIGGER_BYTES);
    let server = match demand.stream_age().of_connections() {
        Some(age) => Server::builder().max_connection_age(age),
        None => Server::builder(),
    };
    let demand =
        demand_server::DemandServer::new(demand).max_decoding_message_size(MAX_REPORT_BYTES);
    let server = server
        .max_concurrent_streams(Some(MAX_STREAMS))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(keda)
        .add_service(demand)
        .add_service(health)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.clone().cancelled_owned(),
        );
    clients::serve_until(server, shutdown)
        .await
        .context("serve gRPC")
}

/// Health, which says what readiness says.
pub(crate) async fn health(tasks: &Tasks, readiness: &Readiness) -> HealthServer<impl Health> {
    let (health, server) = tonic_health::server::health_reporter();
    health::follow(tasks, readiness, health, &["", EXTERNAL_SCALER, DEMAND]).await;
    server
}

const EXTERNAL_SCALER: &str = <ExternalScalerServer<Keda> as tonic::server::NamedService>::NAME;
const DEMAND: &str =
    <demand_server::DemandServer<DemandServer> as tonic::server::NamedService>::NAME;
