//! How a test itself reaches a daemon: in plain text, or with what lies in a folder.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Where a daemon is and what it is shown. An address alone is one in plain text.
#[derive(Debug, Clone)]
pub struct Link {
    address: SocketAddr,
    credentials: Option<PathBuf>,
}

impl From<SocketAddr> for Link {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            credentials: None,
        }
    }
}

impl Link {
    /// By TLS with the files of a mounted Secret, as they are when a connection is opened. Without `tls.crt`
    /// nothing is shown.
    pub fn tls(address: SocketAddr, credentials: &Path) -> Self {
        Self {
            address,
            credentials: Some(credentials.to_owned()),
        }
    }

    /// Where the daemon is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects at the first call, and again when a connection has ended.
    pub fn channel(&self) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint.context("make a URI")?;
        let Some(credentials) = self.credentials.clone() else {
            return Ok(endpoint.connect_lazy());
        };
        let address = self.address;
        let connector = service_fn(move |_| {
            let credentials = credentials.clone();
            async move {
                let stream = open(address, &credentials, &[&TLS13]).await;
                stream
                    .map(TokioIo::new)
                    .map_err(|error| io::Error::other(format!("{error:#}")))
            }
        });
        Ok(endpoint.connect_with_connector_lazy(connector))
    }

    /// Opens a connection of one version of TLS; returns the certificate that the daemon shows, and closes it.
    pub async fn certificate(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> Result<CertificateDer<'static>> {
        let credentials = self.credentials.as_ref().context("a link by TLS")?;
        let stream = open(self.address, credentials, &[version]).await?;
        let (_, connection) = stream.get_ref();
        let chain = connection.peer_certificates().unwrap_or_default();
        let first = chain.first().context("a server shows a certificate")?;
        Ok(first.clone().into_owned())
    }
}

async fn open(
    address: SocketAddr,
    credentials: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsStream<TcpStream>> {
    let config = client_config(credentials, versions)?;
    let stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true).context("send at once")?;
    let name = ServerName::from(address.ip());
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.context("speak TLS")
}

fn client_config(
    credentials: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&credentials.join("ca.crt"))? {
        roots.add(authority).context("trust an authority")?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(versions);
    let builder = builder.context("choose a version of TLS")?;
    let builder = builder.with_root_certificates(roots);
    let certificate = credentials.join("tls.crt");
    let mut config = if certificate.exists() {
        let key = PrivateKeyDer::from_pem_file(credentials.join("tls.key"));
        let key = key.context("read a key")?;
        builder
            .with_client_auth_cert(certificates(&certificate)?, key)
            .context("show a certificate")?
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let what = || format!("read {}", file.display());
    let all = CertificateDer::pem_file_iter(file).with_context(what)?;
    all.collect::<Result<_, _>>().with_context(what)
}
