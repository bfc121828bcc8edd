//! The other end of the filter's two streams, in a test's hands: for what no healthy daemon does, such
//! as falling silent or sending a table that is wrong, and for reading reports as they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time;
use tokio_stream::wrappers::{BroadcastStream, IntervalStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use wakegate_wire::v1;
use wakegate_wire::v1::demand_server::{Demand, DemandServer};
use wakegate_wire::v1::routes_server::{Routes, RoutesServer};

use crate::background::Background;
use crate::manifests::{NAMESPACE, Service as App};

/// Updates that a stream may lag behind.
const N_WAITING: usize = 1_024;

/// A server of both streams. What it says and what it heard are the test's.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: Background,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    updates: broadcast::Sender<v1::Update>,
}

#[derive(Debug, Default)]
struct State {
    /// Sent to each stream that opens.
    table: Vec<v1::Update>,
    is_silent: bool,
    hellos: Vec<v1::Hello>,
    acks: Vec<v1::Ack>,
    reports: BTreeMap<(u32, String), v1::KeyReport>,
}

/// A shared server, as tonic wants it.
#[derive(Debug, Clone)]
struct Service(Arc<Shared>);

impl Peer {
    /// Starts it on a free port. `table` is what every stream gets first.
    pub async fn start(table: Vec<v1::Update>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let address = listener.local_addr().context("ask for the bound address")?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                table,
                ..State::default()
            }),
            updates: broadcast::Sender::new(N_WAITING),
        });
        let service = Service(Arc::clone(&shared));
        let server = Server::builder()
            .add_service(RoutesServer::new(service.clone()))
            .add_service(DemandServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = Background::start(async {
            if let Err(error) = server.await {
                tracing::error!(%error, "peer ended");
            }
        });
        Ok(Self {
            address,
            shared,
            _server: server,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends an update to all streams that are open. A full one is what later streams get first: at this
    /// moment a filter may be between two streams.
    pub fn push(&self, update: v1::Update) {
        if update.full {
            self.shared.state.lock().table = vec![update.clone()];
        }
        // An error says that no stream is open.
        drop(self.shared.updates.send(update));
    }

    /// From now on it says nothing, not even heartbeats and acks, and leaves streams open.
    pub fn fall_silent(&self) {
        self.shared.state.lock().is_silent = true;
    }

    /// It speaks again, on streams old and new.
    pub fn speak_again(&self) {
        self.shared.state.lock().is_silent = false;
    }

    /// How each stream began.
    pub fn hellos(&self) -> Vec<v1::Hello> {
        self.shared.state.lock().hellos.clone()
    }

    /// What was acked and refused.
    pub fn acks(&self) -> Vec<v1::Ack> {
        self.shared.state.lock().acks.clone()
    }

    /// The sum of the last reports of all workers for one key.
    pub fn reported(&self, key: &str) -> v1::KeyReport {
        let state = self.shared.state.lock();
        let of_key = state.reports.iter().filter(|((_, name), _)| name == key);
        of_key.fold(v1::KeyReport::default(), |sum, (_, report)| v1::KeyReport {
            key: key.to_owned(),
            held: sum.held + report.held,
            running: sum.running + report.running,
            started: sum.started + report.started,
            ended: sum.ended + report.ended,
            shed: sum.shed + report.shed,
            integral_ms: sum.integral_ms + report.integral_ms,
        })
    }
}

/// A table with one route, for everything on the service's host.
pub fn table(service: &App, version: &str, ready_endpoints: u32) -> v1::Update {
    let path = v1::path_match::Path::Prefix("/".to_owned());
    v1::Update {
        full: true,
        last: true,
        version: version.to_owned(),
        routes: vec![v1::Route {
            id: format!("HTTPRoute/{NAMESPACE}/{}/0/0", service.name),
            hosts: vec![service.host()],
            path: Some(v1::PathMatch { path: Some(path) }),
            targets: vec![v1::Target {
                backend: service.backend(),
                key: format!("service/{NAMESPACE}/{}", service.name),
                weight: 1,
            }],
            policy: Some(v1::Policy {
                hold_timeout_ms: 60_000,
                max_held: 1_000,
                ..v1::Policy::default()
            }),
            ..v1::Route::default()
        }],
        backends: vec![v1::Backend {
            id: service.backend(),
            ready_endpoints,
            ..v1::Backend::default()
        }],
        ..v1::Update::default()
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Routes for Service {
    type WatchStream = Answers<v1::WatchResponse>;

    async fn watch(
        &self,
        request: Request<Streaming<v1::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let shared = Arc::clone(&self.0);
        let heard = request.into_inner().filter_map(move |request| {
            shared.on_watch_request(request);
            std::future::ready(None)
        });
        let updates = BroadcastStream::new(self.0.updates.subscribe());
        let updates = updates.filter_map(|update| std::future::ready(update.ok()));
        let updates = stream::iter(self.0.state.lock().table.clone()).chain(updates);
        let updates = updates.map(v1::watch_response::Response::Update);
        let beats = IntervalStream::new(time::interval(Duration::from_secs(1)));
        let beats =
            beats.map(|_| v1::watch_response::Response::Heartbeat(v1::Heartbeat { workers: 3 }));
        let shared = Arc::clone(&self.0);
        let said = stream::select(updates, beats).filter_map(move |response| {
            let is_said = !shared.state.lock().is_silent;
            let response = is_said.then_some(Ok(v1::WatchResponse {
                response: Some(response),
            }));
            std::future::ready(response)
        });
        Ok(Response::new(Box::pin(stream::select(heard, said))))
    }
}

#[tonic::async_trait]
impl Demand for Service {
    type ReportStream = Answers<v1::ReportResponse>;

    async fn report(
        &self,
        request: Request<Streaming<v1::ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let shared = Arc::clone(&self.0);
        let mut worker = 0;
        let acks = request.into_inner().filter_map(move |request| {
            let ack = request.ok().and_then(|request| {
                worker = request
                    .instance
                    .as_ref()
                    .map_or(worker, |instance| instance.worker);
                shared.on_report(worker, request)
            });
            std::future::ready(ack.map(Ok))
        });
        Ok(Response::new(Box::pin(acks)))
    }
}

impl Shared {
    fn on_watch_request(&self, request: Result<v1::WatchRequest, Status>) {
        let mut state = self.state.lock();
        match request.ok().and_then(|request| request.request) {
            Some(v1::watch_request::Request::Hello(hello)) => state.hellos.push(hello),
            Some(v1::watch_request::Request::Ack(ack)) => state.acks.push(ack),
            None => {}
        }
    }

    fn on_report(&self, worker: u32, request: v1::ReportRequest) -> Option<v1::ReportResponse> {
        let mut state = self.state.lock();
        if request.full {
            state.reports.retain(|(of, _), _| *of != worker);
        }
        for report in request.keys {
            state.reports.insert((worker, report.key.clone()), report);
        }
        let ack = v1::ReportResponse {
            acked: request.sequence,
            wants_keys: false,
        };
        (!state.is_silent).then_some(ack)
    }
}
