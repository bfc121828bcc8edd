//! A server of a daemon's kind, with health as what it serves.

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{
    Request, Status,
    transport::{Endpoint, Server},
};
use tonic_health::{
    pb::{HealthCheckRequest, health_client::HealthClient, health_server::HealthServer},
    server::{HealthReporter, HealthService},
};
use wakegate_runtime::{
    Peer, Refusals, Role, Tls, TlsMetrics, Transport,
    tls::{Allowed, ConnectError, Identity},
};

/// Nothing in these tests takes longer.
const DEADLINE: Duration = Duration::from_secs(15);

pub(crate) struct Daemon {
    pub(crate) addr: SocketAddr,
    pub(crate) health: HealthReporter,
    registry: Registry,
    _server: JoinSet<()>,
}

pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) tls: TlsMetrics,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let refusals = Refusals::register(&mut registry, "Refused");
        let tls = TlsMetrics::register(&mut registry, refusals);
        Self { registry, tls }
    }
}

impl Daemon {
    /// Health over `transport`, for clients with the role `wanted`.
    pub(crate) async fn serve(transport: &Transport, registry: Registry, wanted: Role) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let health = HealthReporter::new();
        let service = HealthService::from_health_reporter(health.clone());
        let guarded = HealthServer::with_interceptor(service, move |request: Request<()>| {
            Peer::of(&request).require(wanted)?;
            Ok(request)
        });
        let incoming = transport.incoming(listener);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let router = Server::builder().add_service(guarded);
            router.serve_with_incoming(incoming).await.unwrap();
        });
        Self {
            addr,
            health,
            registry,
            _server: server,
        }
    }

    /// A server that is a scaler and serves filters, and the handle to its identity.
    pub(crate) async fn with(identity: &Identity) -> (Self, Tls) {
        let metrics = Metrics::new();
        let tls = tls_with(identity, metrics.tls);
        let transport = Transport::Tls(tls.clone());
        (
            Self::serve(&transport, metrics.registry, Role::Filter).await,
            tls,
        )
    }

    /// What a client with this identity gets, when it wants a scaler.
    pub(crate) async fn ask(&self, identity: &Identity) -> Result<(), String> {
        self.ask_for(identity, Role::Scaler).await
    }

    pub(crate) async fn ask_for(&self, identity: &Identity, server: Role) -> Result<(), String> {
        let transport = Transport::Tls(tls(identity));
        let channel = connect(&transport, self.addr, server).await;
        let channel = channel.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        let mut client = HealthClient::new(channel);
        let answer = soon("an answer", client.check(HealthCheckRequest::default())).await;
        answer.map(drop).map_err(|status: Status| {
            format!("{:?}: {:#}", status.code(), anyhow::Error::new(status))
        })
    }

    pub(crate) fn metrics(&self) -> String {
        text(&self.registry)
    }

    /// Waits until the metrics have this line.
    pub(crate) async fn until_counted(&self, line: &str) {
        eventually(line, || self.metrics().lines().any(|found| found == line)).await;
    }
}

pub(crate) fn text(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    text
}

pub(crate) fn tls(identity: &Identity) -> Tls {
    tls_with(identity, TlsMetrics::default())
}

pub(crate) fn tls_with(identity: &Identity, metrics: TlsMetrics) -> Tls {
    Tls::new(identity, Allowed::default(), metrics, SystemTime::now()).unwrap()
}

pub(crate) async fn connect(
    transport: &Transport,
    addr: SocketAddr,
    server: Role,
) -> Result<tonic::transport::Channel, ConnectError> {
    let endpoint = Endpoint::from_shared(format!("{}://{addr}", transport.scheme())).unwrap();
    soon("a connection", transport.connect(endpoint, server)).await
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} does not come"))
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
