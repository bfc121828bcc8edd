//! The Routes server: every subscriber gets the difference between what it has and the newest snapshot.
//!
//! State is whole snapshots in a watch channel, so that a subscriber that does not read costs nothing:
//! what it missed is one difference when it reads again. One update is in flight until its ack.

mod acks;
mod chunks;
mod peer_seat;
mod scope;
mod service;
mod standings;
mod subscription;
mod update;
mod view;
mod workers;

use std::{sync::Arc, time::Duration};

use futures::stream;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};
use wakegate_runtime::{
    Clients, Peer, Refusals, Role, StreamAge, clients::Limits, refusals::is_garbage,
};
use wakegate_wire::v1::{self, watch_request};

pub use self::acks::{Acks, Applied};
pub use self::service::RoutesService;
pub use self::workers::{WorkerReport, Workers};

pub(crate) use self::peer_seat::PeerSeat;

use self::{
    scope::Scope, service::Updates, subscription::Subscription, view::Views, workers::Seat,
};
use crate::{metrics::Metrics, refusals::HELLO, snapshot::Snapshot};

/// The newest snapshot; none before the first load.
pub type Snapshots = watch::Receiver<Option<Arc<Snapshot>>>;

/// The version of the protocol that is spoken here.
const PROTOCOL: u32 = 1;

/// How long a new stream may take to say who it is.
const HELLO_LIMIT: Duration = Duration::from_secs(5);

/// The longest name that a subscriber may give itself.
const MAX_NAME: usize = 256;

/// Streams of filter workers and scalers: more than three times the workers that one control plane is built
/// for. Those on one connection are many as well, for a mesh may carry all workers on one.
const STREAMS: Limits = Limits {
    total: 16_384,
    per_connection: 4_096,
};

/// Serves `Routes/Watch`.
#[derive(Clone, Debug)]
pub struct Push {
    shared: Arc<Shared>,
}

/// What all subscriptions have in common.
#[derive(Debug)]
struct Shared {
    snapshots: Snapshots,
    views: Views,
    workers: Workers,
    clients: Clients,
    metrics: Metrics,
    stream_age: StreamAge,
    shutdown: CancellationToken,
}

impl Push {
    /// A server that pushes what comes through `snapshots`, until the shutdown. A stream gets as old as `stream_age`
    /// says.
    pub fn new(
        snapshots: Snapshots,
        workers: Workers,
        metrics: Metrics,
        stream_age: StreamAge,
        shutdown: CancellationToken,
    ) -> Self {
        let views = Views::default();
        Self {
            shared: Arc::new(Shared {
                snapshots,
                views,
                workers,
                clients: Clients::new(STREAMS),
                metrics,
                stream_age,
                shutdown,
            }),
        }
    }

    /// What the subscribers have applied.
    pub fn acks(&self) -> Acks {
        Acks::new(Arc::clone(&self.shared))
    }

    /// Whose streams they are: those that nobody reads are to be ended each second.
    pub fn clients(&self) -> Clients {
        self.shared.clients.clone()
    }

    /// The gRPC service.
    pub fn into_service(self) -> RoutesService {
        RoutesService::new(self)
    }

    async fn watch(
        &self,
        request: Request<Streaming<v1::WatchRequest>>,
    ) -> Result<Response<Updates>, Status> {
        let peer = Peer::of(&request);
        let place = self.shared.clients.admit(peer.address());
        let refusals = &self.shared.metrics.refusals;
        let place = place.map_err(|full| refusals.no_place(full))?;
        let subscription = self.open(request.into_inner(), &peer).await;
        let subscription = subscription.inspect_err(|status| {
            // A client that left before it said anything is nobody's mistake; one that may not ask was counted.
            if matches!(
                status.code(),
                Code::Cancelled | Code::Unknown | Code::Unavailable | Code::PermissionDenied
            ) {
                return;
            }
            let reason = if is_garbage(status) {
                Refusals::GARBAGE
            } else {
                HELLO
            };
            refusals.refuse(reason, "", status);
        })?;
        let updates = stream::unfold(Some(subscription), async |subscription| {
            let mut subscription = subscription?;
            match subscription.next().await? {
                Ok(response) => Some((Ok(response), Some(subscription))),
                Err(status) => Some((Err(status), None)),
            }
        });
        let updates = self.shared.clients.guard(place, updates);
        Ok(Response::new(Box::pin(updates)))
    }

    /// Hears who it is.
    async fn open(
        &self,
        mut inbound: Streaming<v1::WatchRequest>,
        peer: &Peer,
    ) -> Result<Subscription, Status> {
        let first = timeout(HELLO_LIMIT, inbound.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let Some(watch_request::Request::Hello(hello)) = first.and_then(|first| first.request)
        else {
            return Err(Status::invalid_argument(
                "the first request must be a hello",
            ));
        };
        peer.require(match hello.role() {
            v1::Role::Filter => Role::Filter,
            v1::Role::Scaler => Role::Scaler,
        })?;
        check(&hello)?;
        let scope = Scope::try_from(&hello).map_err(Status::invalid_argument)?;
        let seat = Seat::take(&self.shared.workers, &hello, &scope);
        let subscription = Subscription::new(Arc::clone(&self.shared), inbound, scope, seat);
        Ok(subscription.having(&hello.version))
    }
}

fn check(hello: &v1::Hello) -> Result<(), Status> {
    if hello.protocol != PROTOCOL {
        let theirs = hello.protocol;
        let reason = format!("protocol {theirs} is not spoken here, {PROTOCOL} is");
        return Err(Status::failed_precondition(reason));
    }
    if hello.proxy.is_empty() {
        return Err(Status::invalid_argument("the hello names no proxy"));
    }
    let names = [&hello.proxy, &hello.release, &hello.version];
    if names.iter().any(|name| name.len() > MAX_NAME) {
        let reason = format!("a name in the hello is longer than {MAX_NAME} bytes");
        return Err(Status::invalid_argument(reason));
    }
    Ok(())
}
