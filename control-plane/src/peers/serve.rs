//! The side of the one that leads. It is served whoever leads: a replica that follows may know sooner.

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use wakegate_runtime::{Peer, Role};
use wakegate_wire::v1::{ShareResponse, Standings, peers_server};

use super::SILENCE;
use crate::push::{PeerSeat, Workers};

/// Standings of the workers of a replica: one for each scope and version.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Serves `Peers/Share`.
#[derive(Clone, Debug)]
pub struct Peers {
    workers: Workers,
    shutdown: CancellationToken,
}

impl Peers {
    /// A server that adds what replicas say to `workers`, until the shutdown.
    pub fn new(workers: Workers, shutdown: CancellationToken) -> Self {
        Self { workers, shutdown }
    }

    /// The gRPC service.
    pub fn into_service(self) -> peers_server::PeersServer<Self> {
        peers_server::PeersServer::new(self).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}

#[tonic::async_trait]
impl peers_server::Peers for Peers {
    async fn share(
        &self,
        request: Request<Streaming<Standings>>,
    ) -> Result<Response<ShareResponse>, Status> {
        Peer::of(&request).require(Role::ControlPlane)?;
        let seat = PeerSeat::take(&self.workers).map_err(Status::resource_exhausted)?;
        let all = take_all(&seat, request.into_inner());
        self.shutdown.run_until_cancelled(all).await.transpose()?;
        Ok(Response::new(ShareResponse {}))
    }
}

async fn take_all(seat: &PeerSeat, mut inbound: Streaming<Standings>) -> Result<(), Status> {
    loop {
        let next = timeout(SILENCE, inbound.message()).await;
        let next = next.map_err(|_| Status::deadline_exceeded("the replica is silent"))?;
        let Some(standings) = next? else {
            return Ok(());
        };
        seat.tell(standings).map_err(Status::invalid_argument)?;
    }
}
