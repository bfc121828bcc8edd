//! A filter's stream to a control plane, by the certificate in a Secret.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use futures::{FutureExt, StreamExt};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;
use wakegate_runtime::Refusals;
use wakegate_runtime::tls::{Allowed, Identity, Role, Tls, TlsMetrics, Transport};
use wakegate_wire::v1::routes_client::RoutesClient;
use wakegate_wire::v1::{Hello, WatchRequest, WatchResponse, watch_request};

/// A heartbeat comes each second.
const LIMIT: Duration = Duration::from_secs(5);

/// What is in a Secret.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) authorities: Vec<u8>,
}

/// A stream that is open.
#[derive(Debug)]
pub(super) struct Watcher {
    heard: Streaming<WatchResponse>,
    /// The stream ends with it.
    _say: mpsc::Sender<WatchRequest>,
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
        let (say, said) = mpsc::channel(1);
        let hello = Hello {
            proxy: "watcher".to_owned(),
            release: "e2e".to_owned(),
            protocol: 1,
            ..Hello::default()
        };
        let request = Some(watch_request::Request::Hello(hello));
        say.send(WatchRequest { request }).await?;
        let watched = RoutesClient::new(channel)
            .watch(ReceiverStream::new(said))
            .await;
        let heard = watched.context("watch")?.into_inner();
        Ok(Self { heard, _say: say })
    }

    /// Waits for the next message.
    pub(super) async fn hears(&mut self) -> Result<()> {
        let heard = timeout(LIMIT, self.heard.next()).await;
        let heard = heard.context("nothing is heard")?;
        heard
            .context("the stream has ended")?
            .context("the stream was cut")?;
        Ok(())
    }

    /// Takes what has come; an error when the stream is not open any more.
    pub(super) fn is_open(&mut self) -> Result<()> {
        while let Some(heard) = self.heard.next().now_or_never() {
            match heard {
                Some(heard) => heard.map(drop).context("the stream was cut")?,
                None => bail!("the stream has ended"),
            }
        }
        Ok(())
    }
}
