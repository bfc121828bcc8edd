//! gRPC without generated code: one unary and one bidirectional method that echo notes.

use std::future::{Ready, ready};

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use super::{Body, BoxError};

/// What is said over gRPC.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Note {
    /// `fail` is answered with the status ABORTED.
    #[prost(string, tag = "1")]
    pub text: String,
}

pub(super) async fn say(request: Request<Incoming>) -> Response<Body> {
    plain(
        Grpc::new(ProstCodec::<Note, Note>::default())
            .unary(Say, request)
            .await,
    )
}

pub(super) async fn chat(request: Request<Incoming>) -> Response<Body> {
    plain(
        Grpc::new(ProstCodec::<Note, Note>::default())
            .streaming(Chat, request)
            .await,
    )
}

fn plain(response: Response<tonic::body::Body>) -> Response<Body> {
    response.map(|body| body.map_err(BoxError::from).boxed_unsync())
}

struct Say;

impl UnaryService<Note> for Say {
    type Response = Note;
    type Future = Ready<Result<tonic::Response<Note>, Status>>;

    fn call(&mut self, request: tonic::Request<Note>) -> Self::Future {
        let note = request.into_inner();
        ready(match note.text.as_str() {
            "fail" => Err(Status::aborted("told to fail")),
            _ => Ok(tonic::Response::new(note)),
        })
    }
}

struct Chat;

impl StreamingService<Note> for Chat {
    type Response = Note;
    type ResponseStream = Streaming<Note>;
    type Future = Ready<Result<tonic::Response<Streaming<Note>>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Note>>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}
