//! A filter's stream to a control plane, by the certificate in a Secret.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;
use wakegate_e2e::Background;
use wakegate_runtime::Refusals;
use wakegate_runtime::tls::{Allowed, Identity, Role, Tls, TlsMetrics, Transport};
use wakegate_wire::v1::routes_client::RoutesClient;
use wakegate_wire::v1::{Ack, Hello, WatchRequest, WatchResponse, watch_request, watch_response};

/// A heartbeat comes each second.
const LIMIT: Duration = Duration::from_secs(5);

/// What is in a Secret.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) authorities: Vec<u8>,
}

/// A stream that is open, and read all the time.
#[derive(Debug)]
pub(super) struct Watcher {
    heard: watch::Receiver<Heard>,
    _reading: Background,
}

/// What has come of a stream.
#[derive(Debug, Default)]
struct Heard {
    n_messages: u64,
    end: Option<String>,
}

impl Credentials {
    fn tls(&self) -> Result<Tls> {
        let mut registry = Registry::default();
        let refusals = Refusals::register(&mut registry, "none");
        let metrics = TlsMetrics::register(&mut registry, refusals);
        let identity = Identity {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            authorities: self.authorities.clone(),
        };
        let tls = Tls::new(&identity, Allowed::default(), metrics, SystemTime::now());
        tls.context("take up a certificate")
    }

    /// Whether it can be used.
    pub(super) fn is_complete(&self) -> bool {
        self.tls().is_ok()
    }
}

impl Watcher {
    /// Connects as our own clients do, and opens a stream.
    pub(super) async fn open(control_plane: SocketAddr, filter: &Credentials) -> Result<Self> {
        let transport = Transport::Tls(filter.tls()?);
        let endpoint = Endpoint::from_shared(format!("https://{control_plane}"))?;
        let connected = transport.connect(endpoint, Role::ControlPlane);
        let channel = timeout(LIMIT, connected).await.context("connect in time")?;
        let channel = channel.context("connect")?;
        let (say, said) = mpsc::channel(16);
        let hello = Hello {
            proxy: "watcher".to_owned(),
            release: "e2e".to_owned(),
            protocol: 1,
            ..Hello::default()
        };
        let request = Some(watch_request::Request::Hello(hello));
        say.send(WatchRequest { request }).await?;
        let mut client = RoutesClient::new(channel);
        let watched = client.watch(ReceiverStream::new(said));
        let stream = watched.await.context("watch")?.into_inner();
        let (tell, heard) = watch::channel(Heard::default());
        let reading = Background::start(read(stream, say, tell));
        Ok(Self {
            heard,
            _reading: reading,
        })
    }

    /// Waits for the next message.
    pub(super) async fn hears(&mut self) -> Result<()> {
        let before = self.heard.borrow().n_messages;
        let is_more = |heard: &Heard| heard.n_messages > before || heard.end.is_some();
        let heard = timeout(LIMIT, self.heard.wait_for(is_more)).await;
        heard.context("nothing is heard")?.context("nobody reads")?;
        self.is_open()
    }

    /// An error when the stream is not open any more.
    pub(super) fn is_open(&self) -> Result<()> {
        match &self.heard.borrow().end {
            Some(end) => bail!("the stream has ended: {end}"),
            None => Ok(()),
        }
    }
}

/// Reads to the end, and acks each update.
async fn read(
    mut stream: Streaming<WatchResponse>,
    say: mpsc::Sender<WatchRequest>,
    tell: watch::Sender<Heard>,
) {
    let end = loop {
        let response = match stream.next().await {
            Some(Ok(response)) => response.response,
            Some(Err(status)) => break status.to_string(),
            None => break "by the server".to_owned(),
        };
        tell.send_modify(|heard| heard.n_messages += 1);
        if let Some(watch_response::Response::Update(update)) = response
            && update.last
        {
            let ack = Ack {
                version: update.version,
                error: String::new(),
            };
            let request = Some(watch_request::Request::Ack(ack));
            if say.send(WatchRequest { request }).await.is_err() {
                break "nobody takes acks".to_owned();
            }
        }
    };
    tell.send_modify(|heard| heard.end = Some(end));
}
