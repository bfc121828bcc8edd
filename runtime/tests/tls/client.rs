//! A client that is not ours: it shows what it likes, and takes any server.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use wakegate_runtime::tls::Identity;

use crate::harness::soon;

/// What a client without our code does.
pub(crate) struct Stranger<'a> {
    pub(crate) trusts: &'a Identity,
    pub(crate) shows: Option<&'a Identity>,
    pub(crate) version: &'static SupportedProtocolVersion,
}

impl Stranger<'_> {
    /// The handshake as the client sees it, which ends before the server has looked at its certificate.
    pub(crate) async fn connect(&self, addr: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.trusts.authorities) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match self.shows {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(&identity.certificate);
                let chain = chain.collect::<Result<_, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(&identity.key).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let stream = TcpStream::connect(addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        soon(
            "a handshake",
            TlsConnector::from(Arc::new(config)).connect(name, stream),
        )
        .await
    }

    /// What comes of it when the client goes on to speak.
    pub(crate) async fn outcome(&self, addr: SocketAddr) -> std::io::Result<usize> {
        let mut stream = self.connect(addr).await?;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await?;
        soon("an answer", stream.read(&mut [0; 64])).await
    }
}

/// The certificate that a server shows.
pub(crate) async fn shown(addr: SocketAddr, client: &Identity) -> Vec<u8> {
    let stranger = Stranger {
        trusts: client,
        shows: Some(client),
        version: &rustls::version::TLS13,
    };
    let stream = stranger.connect(addr).await.unwrap();
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].to_vec()
}

pub(crate) fn der(identity: &Identity) -> Vec<u8> {
    CertificateDer::from_pem_slice(&identity.certificate)
        .unwrap()
        .to_vec()
}
