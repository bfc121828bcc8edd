//! The sample app's gRPC service, from outside.

use std::net::SocketAddr;

use ::http::uri::PathAndQuery;
use anyhow::{Context, Result};
use futures::Stream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::sample::{GRPC_CHAT, GRPC_SAY, Note};

/// A client of the sample app's notes.
#[derive(Debug)]
pub struct Talk {
    grpc: Grpc<Channel>,
}

impl Talk {
    /// Connects to `address` and asks for `host`.
    pub async fn open(address: SocketAddr, host: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?
            .origin(format!("http://{host}").parse().context("make an origin")?);
        let channel = endpoint.connect().await.context("open gRPC")?;
        Ok(Self {
            grpc: Grpc::new(channel),
        })
    }

    /// The unary method.
    pub async fn say(&mut self, text: &str) -> Result<Response<Note>, Status> {
        self.ready().await?;
        let note = Request::new(Note {
            text: text.to_owned(),
        });
        self.grpc
            .unary(
                note,
                PathAndQuery::from_static(GRPC_SAY),
                ProstCodec::default(),
            )
            .await
    }

    /// The bidirectional method.
    pub async fn chat(
        &mut self,
        notes: impl Stream<Item = Note> + Send + 'static,
    ) -> Result<Response<Streaming<Note>>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(GRPC_CHAT);
        self.grpc
            .streaming(Request::new(notes), path, ProstCodec::default())
            .await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.grpc
            .ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))
    }
}
