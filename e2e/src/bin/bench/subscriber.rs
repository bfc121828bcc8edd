//! A subscriber of the control plane beside the filter's: what it sees at a moment, every filter is sent at
//! that moment.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use wakegate_e2e::Background;
use wakegate_wire::v1::{
    Ack, Hello, WatchRequest, WatchResponse, routes_client::RoutesClient, watch_request,
    watch_response,
};

/// The version of the protocol that it speaks.
const PROTOCOL: u32 = 1;

/// The stream that is open, and the backends that it said are ready.
#[derive(Debug)]
pub(crate) struct Subscriber {
    ready: mpsc::Receiver<Ready>,
    _reading: Background,
}

/// A backend that has an endpoint, and when that was heard.
#[derive(Debug)]
struct Ready {
    backend: String,
    at: Instant,
}

impl Subscriber {
    /// Opens a stream as a proxy of its own.
    pub(crate) async fn open(control_plane: SocketAddr) -> Result<Self> {
        let uri = format!("http://{control_plane}");
        let channel = Endpoint::from_shared(uri)?
            .connect()
            .await
            .context("reach the control plane")?;
        let (say, said) = mpsc::channel(16);
        say.send(hello()).await.context("say hello")?;
        let mut client = RoutesClient::new(channel);
        let heard = client.watch(ReceiverStream::new(said)).await?.into_inner();
        let (tell, ready) = mpsc::channel(1_024);
        let reading = Background::start(async move {
            let mut heard = heard;
            while let Some(Ok(response)) = heard.next().await {
                if take(response, Instant::now(), &tell, &say).await.is_none() {
                    return;
                }
            }
        });
        Ok(Self {
            ready,
            _reading: reading,
        })
    }

    /// When it was first heard, since the last call, that this backend has an endpoint.
    pub(crate) async fn ready(&mut self, backend: &str, limit: Duration) -> Result<Instant> {
        let find = async {
            while let Some(ready) = self.ready.recv().await {
                if ready.backend == backend {
                    return Some(ready.at);
                }
            }
            None
        };
        let found = timeout(limit, find).await;
        found
            .with_context(|| format!("{backend} is said to be ready"))?
            .context("the control plane's stream is up")
    }
}

fn hello() -> WatchRequest {
    let hello = Hello {
        proxy: "bench".to_owned(),
        release: "bench".to_owned(),
        protocol: PROTOCOL,
        ..Hello::default()
    };
    WatchRequest {
        request: Some(watch_request::Request::Hello(hello)),
    }
}

/// None when nobody listens any more.
async fn take(
    response: WatchResponse,
    at: Instant,
    tell: &mpsc::Sender<Ready>,
    say: &mpsc::Sender<WatchRequest>,
) -> Option<()> {
    let Some(watch_response::Response::Update(update)) = response.response else {
        return Some(());
    };
    for backend in update.backends {
        if backend.ready_endpoints > 0 {
            let backend = backend.id;
            tell.send(Ready { backend, at }).await.ok()?;
        }
    }
    if update.last {
        let ack = Ack {
            version: update.version,
            error: String::new(),
        };
        let request = Some(watch_request::Request::Ack(ack));
        say.send(WatchRequest { request }).await.ok()?;
    }
    Some(())
}
