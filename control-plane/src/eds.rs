//! EDS over xDS, delta and state of the world, by itself or over ADS: the endpoints of
//! `namespace/service/port`, from the snapshot that the filters get their readiness from.
//!
//! What is unknown or has no ready endpoint gets an empty assignment, so that Envoy's cluster is warm.

mod assignment;
mod delta;
mod names;
mod session;
mod sotw;

use std::{pin::Pin, sync::Arc};

use envoy_types::pb::envoy::service::{
    discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
        aggregated_discovery_service_server::{
            AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
        },
    },
    endpoint::v3::endpoint_discovery_service_server::{
        EndpointDiscoveryService, EndpointDiscoveryServiceServer,
    },
};
use futures::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use wakegate_runtime::{Peer, Role, StreamAge};

use self::{
    delta::Delta,
    session::{Protocol, Session},
    sotw::StateOfTheWorld,
};
use crate::{metrics::Metrics, push::Snapshots};

/// A request names what an Envoy subscribes to: many clusters, once.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// Serves endpoints to Envoys.
#[derive(Clone, Debug)]
pub struct Eds {
    shared: Arc<Shared>,
}

/// What all sessions have in common.
#[derive(Debug)]
struct Shared {
    snapshots: Snapshots,
    metrics: Metrics,
    stream_age: StreamAge,
    shutdown: CancellationToken,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Eds {
    /// A server of what comes through `snapshots`, until the shutdown.
    pub fn new(
        snapshots: Snapshots,
        metrics: Metrics,
        stream_age: StreamAge,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                snapshots,
                metrics,
                stream_age,
                shutdown,
            }),
        }
    }

    /// The service of endpoints alone.
    pub fn endpoint_service(&self) -> EndpointDiscoveryServiceServer<Self> {
        EndpointDiscoveryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    /// The service that Envoys ask for everything, and which answers for endpoints.
    pub fn aggregated_service(&self) -> AggregatedDiscoveryServiceServer<Self> {
        AggregatedDiscoveryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    fn answer<P: Protocol>(
        &self,
        request: Request<Streaming<P::Request>>,
    ) -> Result<Response<Responses<P::Response>>, Status> {
        Peer::of(&request).require(Role::Filter)?;
        let session = Session::<P>::new(Arc::clone(&self.shared), request.into_inner());
        Ok(Response::new(session.responses()))
    }
}

#[tonic::async_trait]
impl EndpointDiscoveryService for Eds {
    type StreamEndpointsStream = Responses<DiscoveryResponse>;
    type DeltaEndpointsStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_endpoints(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamEndpointsStream>, Status> {
        self.answer::<StateOfTheWorld>(request)
    }

    async fn delta_endpoints(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaEndpointsStream>, Status> {
        self.answer::<Delta>(request)
    }

    async fn fetch_endpoints(
        &self,
        _request: Request<DiscoveryRequest>,
    ) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented("endpoints are streamed"))
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Eds {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        self.answer::<StateOfTheWorld>(request)
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        self.answer::<Delta>(request)
    }
}
