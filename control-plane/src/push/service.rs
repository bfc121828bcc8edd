//! `Routes/Watch` as a gRPC service whose answers are bytes already, so that what many subscribers get alike is
//! encoded once. Requests are few, and decoded as ever.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::Stream;
use prost::{Message as _, bytes::BufMut as _};
use tonic::{
    Request, Response, Status, Streaming,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{Body, BoxFuture, Bytes, Service, StdError, http},
    server::{Grpc, NamedService, StreamingService},
};
use wakegate_wire::v1::{WatchRequest, routes_server};

use super::Push;

/// A subscriber says little: a hello, and acks.
const MAX_REQUEST_BYTES: usize = 64 << 10;

/// The one method.
const WATCH: &str = "/wakegate.v1.Routes/Watch";

/// What is sent to one subscriber.
pub(super) type Updates = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The gRPC service `wakegate.v1.Routes`.
#[derive(Clone, Debug)]
pub struct RoutesService {
    push: Arc<Push>,
}

impl RoutesService {
    pub(super) fn new(push: Push) -> Self {
        Self {
            push: Arc::new(push),
        }
    }
}

impl NamedService for RoutesService {
    const NAME: &'static str = routes_server::SERVICE_NAME;
}

impl<B> Service<http::Request<B>> for RoutesService
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if request.uri().path() != WATCH {
            let unknown = Status::unimplemented("Routes has one method, Watch");
            return Box::pin(async move { Ok(unknown.into_http()) });
        }
        let watch = Watch(Arc::clone(&self.push));
        let mut grpc =
            Grpc::new(Bytewise).apply_max_message_size_config(Some(MAX_REQUEST_BYTES), None);
        Box::pin(async move { Ok(grpc.streaming(watch, request).await) })
    }
}

struct Watch(Arc<Push>);

impl StreamingService<WatchRequest> for Watch {
    type Response = Bytes;
    type ResponseStream = Updates;
    type Future = BoxFuture<Response<Updates>, Status>;

    fn call(&mut self, request: Request<Streaming<WatchRequest>>) -> Self::Future {
        let push = Arc::clone(&self.0);
        Box::pin(async move { push.watch(request).await })
    }
}

/// Requests in, messages that are encoded already out.
#[derive(Clone, Copy, Debug)]
struct Bytewise;

impl Codec for Bytewise {
    type Encode = Bytes;
    type Decode = WatchRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytewise {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.reserve(message.len());
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytewise {
    type Item = WatchRequest;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<WatchRequest>, Status> {
        let request = WatchRequest::decode(from);
        request
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
