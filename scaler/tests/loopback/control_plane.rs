//! A control plane that serves one table, and remembers who asked and what was acked.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use wakegate_runtime::{Tasks, Transport};
use wakegate_wire::v1::{
    Ack, Heartbeat, Hello, Update, WatchRequest, WatchResponse, routes_server, watch_request,
    watch_response,
};

pub(crate) struct ControlPlane {
    pub(crate) addr: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    updates: watch::Sender<Update>,
    ends: watch::Sender<()>,
    tasks: Tasks,
    stop: CancellationToken,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) hellos: Vec<Hello>,
    pub(crate) acks: Vec<Ack>,
}

struct Routes {
    updates: watch::Receiver<Update>,
    ends: watch::Receiver<()>,
    seen: Arc<Mutex<Seen>>,
    tasks: Tasks,
    stop: CancellationToken,
}

type Responses = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

impl ControlPlane {
    pub(crate) async fn start(update: Update) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), update).await
    }

    pub(crate) async fn start_at(addr: SocketAddr, update: Update) -> Self {
        Self::start_over(&Transport::PlainText, addr, update).await
    }

    pub(crate) async fn start_over(
        transport: &Transport,
        addr: SocketAddr,
        update: Update,
    ) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (updates, ends) = (watch::Sender::new(update), watch::Sender::new(()));
        let (tasks, stop) = (Tasks::default(), CancellationToken::new());
        let seen = Arc::<Mutex<Seen>>::default();
        let routes = Routes {
            updates: updates.subscribe(),
            ends: ends.subscribe(),
            seen: Arc::clone(&seen),
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let serve = Server::builder()
            .add_service(routes_server::RoutesServer::new(routes))
            .serve_with_incoming_shutdown(
                transport.incoming(listener),
                stop.clone().cancelled_owned(),
            );
        tasks.spawn_short("control plane", async move { serve.await.unwrap() });
        Self {
            addr,
            seen,
            updates,
            ends,
            tasks,
            stop,
        }
    }

    pub(crate) fn update(&self, update: Update) {
        self.updates.send_replace(update);
    }

    /// Ends the streams that there are with OK, and goes on.
    pub(crate) fn end_streams(&self) {
        self.ends.send_replace(());
    }

    /// Ends, so that nothing listens any more.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.stop.cancel();
        self.tasks.shutdown_token().cancel();
        self.tasks.run(Duration::from_secs(5)).await.unwrap();
        self.addr
    }
}

#[tonic::async_trait]
impl routes_server::Routes for Routes {
    type WatchStream = Responses;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let (mut requests, seen) = (request.into_inner(), Arc::clone(&self.seen));
        let stop = self.stop.clone();
        self.tasks.spawn_short("acks", async move {
            while let Some(Some(Ok(message))) = stop.run_until_cancelled(requests.next()).await {
                match message.request {
                    Some(watch_request::Request::Hello(hello)) => seen.lock().hellos.push(hello),
                    Some(watch_request::Request::Ack(ack)) => seen.lock().acks.push(ack),
                    None => panic!("an empty request"),
                }
            }
        });
        let mut ends = self.ends.clone();
        let ended = async move { ends.changed().await.is_ok() };
        let updates = WatchStream::new(self.updates.clone()).map(watch_response::Response::Update);
        let heartbeat = || watch_response::Response::Heartbeat(Heartbeat { workers: 1 });
        let heartbeats = tokio::time::interval(Duration::from_secs(1));
        let heartbeats =
            tokio_stream::wrappers::IntervalStream::new(heartbeats).map(move |_| heartbeat());
        let responses = stream::select(updates, heartbeats)
            .map(|response| {
                Ok(WatchResponse {
                    response: Some(response),
                })
            })
            .take_until(self.stop.clone().cancelled_owned())
            .take_until(ended);
        Ok(Response::new(Box::pin(responses)))
    }
}
