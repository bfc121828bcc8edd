//! Workers that watch the control plane, without what a filter does with a table.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;
use wakegate_wire::v1::{Ack, Hello, WatchRequest, watch_request};

/// Workers of one proxy.
const PER_PROXY: usize = 4;
/// What a filter takes at once.
const MAX_UPDATE_BYTES: usize = 4 << 20;
/// Far beyond what any step takes.
const LIMIT: Duration = Duration::from_mins(2);
/// Events that wait to be counted.
const N_WAITING: usize = 4_096;

/// Workers that watch, until this is dropped.
#[derive(Debug)]
pub(super) struct Watchers {
    tasks: JoinSet<Result<()>>,
    applied: mpsc::Receiver<Applied>,
    n_workers: usize,
}

/// A worker has taken an update in whole, and acked it; or it was told that what it has is the newest.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) at: Instant,
    pub(super) is_full: bool,
    pub(super) version: String,
    pub(super) n_bytes: usize,
    pub(super) n_routes: usize,
    /// The backends of the update that have an endpoint.
    pub(super) ready: Vec<String>,
    /// Those that have none.
    pub(super) asleep: Vec<String>,
}

/// The messages as far as they are looked at: four hundred workers that take each apart in one program would be
/// slower than the server that is measured. What a field holds that is not named here is passed over.
#[derive(Clone, PartialEq, Message)]
struct SlimResponse {
    #[prost(message, optional, tag = "1")]
    update: Option<SlimUpdate>,
    #[prost(message, optional, tag = "2")]
    heartbeat: Option<Skipped>,
}

#[derive(Clone, PartialEq, Message)]
struct SlimUpdate {
    #[prost(bool, tag = "1")]
    full: bool,
    #[prost(bool, tag = "2")]
    last: bool,
    #[prost(string, tag = "3")]
    version: String,
    #[prost(message, repeated, tag = "4")]
    routes: Vec<Skipped>,
    #[prost(message, repeated, tag = "6")]
    backends: Vec<SlimBackend>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Skipped {}

#[derive(Clone, PartialEq, Message)]
struct SlimBackend {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(uint32, tag = "2")]
    ready_endpoints: u32,
}

impl Watchers {
    /// Opens the streams of so many workers at once, each with the table of that version; empty is none.
    pub(super) fn start(address: SocketAddr, n_workers: usize, version: &str) -> Self {
        let mut tasks = JoinSet::new();
        let (tell, applied) = mpsc::channel(N_WAITING);
        for index in 0..n_workers {
            let hello = hello(index, version);
            let tell = tell.clone();
            tasks.spawn(async move { watch(address, hello, tell).await });
        }
        Self {
            tasks,
            applied,
            n_workers,
        }
    }

    /// Waits until every worker has applied one update of which `is_it` holds.
    pub(super) async fn all(
        &mut self,
        mut is_it: impl FnMut(&Applied) -> bool,
    ) -> Result<Vec<Applied>> {
        let mut all = Vec::with_capacity(self.n_workers);
        while all.len() < self.n_workers {
            let applied = self.next().await?;
            if is_it(&applied) {
                all.push(applied);
            }
        }
        Ok(all)
    }

    /// The next update that any worker has applied; none of none.
    pub(super) async fn next(&mut self) -> Result<Applied> {
        tokio::select! {
            applied = timeout(LIMIT, self.applied.recv()) => {
                applied.context("a worker applies an update")?.context("workers run")
            }
            Some(ended) = self.tasks.join_next() => {
                ended.context("a worker ended")??;
                bail!("a worker ended")
            }
        }
    }
}

async fn watch(address: SocketAddr, hello: Hello, tell: mpsc::Sender<Applied>) -> Result<()> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect()
        .await
        .context("connect to the control plane")?;
    let mut client = Grpc::new(channel).max_decoding_message_size(MAX_UPDATE_BYTES);
    client.ready().await.context("the connection is ready")?;
    let (say, requests) = mpsc::channel(4);
    say.send(request(watch_request::Request::Hello(hello)))
        .await?;
    let codec = ProstCodec::<WatchRequest, SlimResponse>::default();
    let path = PathAndQuery::from_static("/wakegate.v1.Routes/Watch");
    let requests = Request::new(ReceiverStream::new(requests));
    let responses = client.streaming(requests, path, codec).await?;
    let mut responses: Streaming<SlimResponse> = responses.into_inner();
    let mut pending = SlimUpdate::default();
    let mut n_bytes = 0;
    let mut is_new = true;
    while let Some(response) = responses.message().await? {
        // A heartbeat that comes before any update says that there is none.
        if std::mem::take(&mut is_new) && response.heartbeat.is_some() {
            tell.send(applied(SlimUpdate::default(), 0)).await?;
        }
        let Some(chunk) = response.update else {
            continue;
        };
        n_bytes += chunk.encoded_len();
        pending.full |= chunk.full;
        pending.routes.extend(chunk.routes);
        pending.backends.extend(chunk.backends);
        if !chunk.last {
            continue;
        }
        let ack = Ack {
            version: chunk.version.clone(),
            error: String::new(),
        };
        say.send(request(watch_request::Request::Ack(ack))).await?;
        let done = SlimUpdate {
            version: chunk.version,
            ..std::mem::take(&mut pending)
        };
        tell.send(applied(done, std::mem::take(&mut n_bytes)))
            .await?;
    }
    bail!("the control plane ended a stream")
}

fn applied(update: SlimUpdate, n_bytes: usize) -> Applied {
    let (ready, asleep): (Vec<_>, Vec<_>) = update
        .backends
        .into_iter()
        .partition(|backend| backend.ready_endpoints > 0);
    let ids = |backends: Vec<SlimBackend>| backends.into_iter().map(|backend| backend.id).collect();
    Applied {
        at: Instant::now(),
        is_full: update.full,
        version: update.version,
        n_bytes,
        n_routes: update.routes.len(),
        ready: ids(ready),
        asleep: ids(asleep),
    }
}

fn hello(index: usize, version: &str) -> Hello {
    Hello {
        proxy: format!("edge-{}", index / PER_PROXY),
        worker: u32::try_from(index % PER_PROXY).unwrap_or_default(),
        release: "bench".to_owned(),
        protocol: 1,
        version: version.to_owned(),
        ..Hello::default()
    }
}

fn request(request: watch_request::Request) -> WatchRequest {
    WatchRequest {
        request: Some(request),
    }
}
