//! Connections to servers of ours.

use std::{fmt, io, sync::Arc};

use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, OtherError,
    RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
    version::TLS13,
};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::{
    Allowed, Role, Tls, Transport,
    certificate::Facts,
    identity::{ALPN, Checked, provider},
};

/// The port of an `https` URI that names none.
const HTTPS: u16 = 443;

/// There is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The server is to be reached in another way than this daemon speaks.
    #[error("{uri} is not of the scheme {expected}")]
    Scheme {
        /// The server's.
        uri: Uri,
        /// What goes with the flags.
        expected: &'static str,
    },
    /// It failed.
    #[error("connect")]
    Transport(#[from] tonic::transport::Error),
}

/// Whether a server is what it has to be, whatever its address.
#[derive(Debug)]
struct RoleVerifier {
    authorities: Arc<RootCertStore>,
    allowed: Arc<Allowed>,
    role: Role,
    provider: Arc<CryptoProvider>,
}

/// A server's certificate is for something else.
#[derive(Error)]
#[error("the server's names ({names}) are not of a {role}")]
struct OtherRole {
    role: Role,
    names: String,
}

impl fmt::Debug for OtherRole {
    /// rustls shows it so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Transport {
    /// Connects to a server that is to be a `server`, and again when the connection is lost.
    ///
    /// # Errors
    /// The server cannot be reached, is not what it has to be, or its URI is for the other way to speak.
    pub async fn connect(&self, endpoint: Endpoint, server: Role) -> Result<Channel, ConnectError> {
        let expected = self.scheme();
        if endpoint.uri().scheme_str() != Some(expected) {
            return Err(ConnectError::Scheme {
                uri: endpoint.uri().clone(),
                expected,
            });
        }
        let channel = match self {
            Self::PlainText => endpoint.connect().await?,
            Self::Tls(tls) => {
                let tls = tls.clone();
                let connector = service_fn(move |uri| tls.clone().connect_to(uri, server));
                endpoint.connect_with_connector(connector).await?
            }
        };
        Ok(channel)
    }
}

impl Tls {
    async fn connect_to(self, uri: Uri, role: Role) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        let host = uri.host().ok_or_else(|| invalid("the URI has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| invalid("the URI's host is no name"))?;
        let config = self.client(role).map_err(io::Error::other)?;
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(HTTPS))).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(TokioIo::new(connector.connect(name, stream).await?))
    }

    /// What a new connection goes by.
    fn client(&self, role: Role) -> Result<ClientConfig, TlsError> {
        let in_force = self.in_force();
        let Checked {
            key,
            authorities,
            server: _,
            until: _,
        } = &*in_force;
        let provider = provider();
        let verifier = RoleVerifier {
            authorities: Arc::clone(authorities),
            allowed: self.allowed(),
            role,
            provider: Arc::clone(&provider),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::<rustls::sign::SingleCertAndKey>::clone(key));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl ServerCertVerifier for RoleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.authorities,
            intermediates,
            now,
            algorithms,
        )?;
        let facts = Facts::of(end_entity);
        let facts = facts.map_err(|_| TlsError::from(CertificateError::BadEncoding))?;
        if self.allowed.roles_of(&facts.names).contains(&self.role) {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherRole {
            role: self.role,
            names: facts.names.join(", "),
        };
        Err(CertificateError::Other(OtherError(Arc::new(other))).into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
