//! The gRPC server: `Demand` for filters, `ExternalScaler` for KEDA, `Ledgers` for other replicas, and health.

use std::sync::Arc;

use anyhow::Context as _;
use tonic_health::pb::health_server::{Health, HealthServer};
use wakegate_runtime::{
    Clients, Readiness, StreamAge, Tasks,
    clients::{self, Limits},
    health,
    tls::Incoming,
};
use wakegate_wire::{
    externalscaler::external_scaler_server::ExternalScalerServer,
    v1::{Replica, demand_server, ledgers_server},
};

use crate::{
    keda::Keda,
    ledgers::{LedgersServer, MAX_PEERS},
    report::DemandServer,
    state::State,
};

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

/// Streams of other replicas. One that lost its stream may be back before the old one is noticed.
pub(crate) const FOLLOW_STREAMS: Limits = Limits {
    total: 2 * MAX_PEERS,
    per_connection: 2,
};

/// What a replica says that follows.
const MAX_FOLLOW_BYTES: usize = 64 << 10;

/// What is served.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) state: Arc<State>,
    /// The clients of `Demand`, and those of `Ledgers`.
    pub(crate) clients: [Clients; 2],
    /// What this replica calls itself.
    pub(crate) own: Replica,
    /// How old the streams of `Demand` get.
    pub(crate) stream_age: StreamAge,
    /// What health says.
    pub(crate) readiness: Readiness,
    pub(crate) tasks: Tasks,
}

impl Serve {
    /// Serves until the shutdown; then every stream ends with OK, and so does this.
    pub(crate) async fn run(self, incoming: Incoming) -> anyhow::Result<()> {
        let Self {
            state,
            clients: [workers, replicas],
            own,
            stream_age,
            readiness,
            tasks,
        } = self;
        let shutdown = tasks.shutdown_token();
        let keda = Keda::new(Arc::clone(&state), shutdown.clone());
        let keda = ExternalScalerServer::new(keda).max_decoding_message_size(MAX_TRIGGER_BYTES);
        let ledgers = LedgersServer::new(own, Arc::clone(&state), replicas, shutdown.clone());
        let ledgers = ledgers_server::LedgersServer::new(ledgers);
        let ledgers = ledgers.max_decoding_message_size(MAX_FOLLOW_BYTES);
        let demand = DemandServer::new(state, workers, stream_age, shutdown.clone());
        let demand =
            demand_server::DemandServer::new(demand).max_decoding_message_size(MAX_REPORT_BYTES);
        let health = health(&tasks, &readiness).await;
        let server = stream_age
            .server(MAX_STREAMS)
            .add_service(keda)
            .add_service(demand)
            .add_service(ledgers)
            .add_service(health)
            .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
        clients::serve_until(server, shutdown)
            .await
            .context("serve gRPC")
    }
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
