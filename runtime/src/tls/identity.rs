//! A certificate, its key and the authorities to trust: as bytes, and checked.

use std::{fmt, sync::Arc};

use rustls::{
    Error as TlsError, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use thiserror::Error;
use x509_parser::{error::X509Error, time::ASN1Time};

use super::{Allowed, certificate::Facts};

/// The certificate's file, or its name in a Secret. The leaf comes first.
pub const CERTIFICATE: &str = "tls.crt";

/// The key's.
pub const KEY: &str = "tls.key";

/// The authorities'.
pub const AUTHORITIES: &str = "ca.crt";

/// gRPC is HTTP/2, and clients in Go want to hear so.
pub(super) const ALPN: &[u8] = b"h2";

/// What one has to show, and whom one trusts, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The own certificate, and those between it and its authority.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// The authorities whose certificates are trusted: several while one replaces another.
    pub authorities: Vec<u8>,
}

/// An identity cannot be used. No message has anything of a key.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The text is broken.
    #[error("{0}: it is not PEM, or cut off")]
    Pem(&'static str),
    /// There is no certificate.
    #[error("{0}: no certificate in it")]
    NoCertificate(&'static str),
    /// A certificate is broken.
    #[error("{0}: a certificate that cannot be read")]
    Certificate(&'static str, #[source] X509Error),
    /// An authority cannot be one.
    #[error("ca.crt: a certificate that can be no authority")]
    Authority(#[source] TlsError),
    /// No authority is left.
    #[error("ca.crt: all certificates in it have ended, the last one {0}")]
    NoAuthority(ASN1Time),
    /// There is no key, or none that can be read.
    #[error("tls.key: no private key in it")]
    NoKey,
    /// The key is of a kind that is not known, or broken.
    #[error("tls.key: a private key that cannot be used")]
    Key(#[source] TlsError),
    /// They do not belong together.
    #[error("tls.key: it is not the key of the certificate in tls.crt")]
    OtherKey,
    /// It is too late.
    #[error("tls.crt: the certificate ended {0}")]
    Ended(ASN1Time),
    /// It is too early.
    #[error("tls.crt: the certificate is not valid before {0}")]
    TooEarly(ASN1Time),
    /// Nobody would let it do anything.
    #[error("tls.crt: none of its names ({names}) has a role; these have one: {allowed}")]
    NoRole {
        /// The certificate's.
        names: String,
        /// Those of all roles.
        allowed: String,
    },
    /// It cannot be put to use.
    #[error("set up TLS")]
    SetUp(#[source] TlsError),
    /// Authorities cannot be put to use.
    #[error("ca.crt: set up the check of clients")]
    Verifier(#[source] VerifierBuilderError),
}

/// An identity that can be put in force.
pub(super) struct Checked {
    pub(super) key: Arc<SingleCertAndKey>,
    pub(super) authorities: Arc<RootCertStore>,
    pub(super) server: Arc<ServerConfig>,
    pub(super) until: Lifetimes,
}

/// When certificates end, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetimes {
    pub(super) own: i64,
    /// The first of the authorities to end.
    pub(super) authorities: i64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not its length either.
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The algorithms of all connections.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Identity {
    /// Whether it can be used now, by somebody with one of the roles.
    pub(super) fn check(&self, allowed: &Allowed, now: ASN1Time) -> Result<Checked, IdentityError> {
        let chain = certificates(CERTIFICATE, &self.certificate)?;
        let own = own_end(&chain, allowed, now)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| IdentityError::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            if matches!(error, TlsError::InconsistentKeys(_)) {
                IdentityError::OtherKey
            } else {
                IdentityError::Key(error)
            }
        })?;
        let (authorities, first_to_end) = self.authorities(now)?;
        let (key, authorities) = (Arc::new(SingleCertAndKey::from(key)), Arc::new(authorities));
        let server = server(Arc::clone(&key), Arc::clone(&authorities))?;
        Ok(Checked {
            key,
            authorities,
            server: Arc::new(server),
            until: Lifetimes {
                own: own.timestamp(),
                authorities: first_to_end.timestamp(),
            },
        })
    }

    /// Those that are trusted, and when the first of them ends. One that has ended is left out, as it is what a
    /// rotation leaves behind.
    fn authorities(&self, now: ASN1Time) -> Result<(RootCertStore, ASN1Time), IdentityError> {
        let mut trusted = RootCertStore::empty();
        let (mut first_to_end, mut ended) = (None, None);
        for certificate in certificates(AUTHORITIES, &self.authorities)? {
            let facts = Facts::of(&certificate);
            let facts = facts.map_err(|error| IdentityError::Certificate(AUTHORITIES, error))?;
            let end = facts.not_after;
            if end < now {
                ended = ended.max(Some(end));
                continue;
            }
            trusted.add(certificate).map_err(IdentityError::Authority)?;
            first_to_end = Some(first_to_end.map_or(end, |first: ASN1Time| first.min(end)));
        }
        match (first_to_end, ended) {
            (Some(first_to_end), _) => Ok((trusted, first_to_end)),
            (None, Some(ended)) => Err(IdentityError::NoAuthority(ended)),
            (None, None) => Err(IdentityError::NoCertificate(AUTHORITIES)),
        }
    }
}

/// When the own certificate ends.
fn own_end(
    chain: &[CertificateDer<'_>],
    allowed: &Allowed,
    now: ASN1Time,
) -> Result<ASN1Time, IdentityError> {
    let leaf = chain.first();
    let leaf = leaf.ok_or(IdentityError::NoCertificate(CERTIFICATE))?;
    let facts = Facts::of(leaf);
    let facts = facts.map_err(|error| IdentityError::Certificate(CERTIFICATE, error))?;
    if facts.not_after < now {
        return Err(IdentityError::Ended(facts.not_after));
    }
    if facts.not_before > now {
        return Err(IdentityError::TooEarly(facts.not_before));
    }
    if allowed.roles_of(&facts.names).is_empty() {
        return Err(IdentityError::NoRole {
            names: facts.names.join(", "),
            allowed: allowed.names(),
        });
    }
    Ok(facts.not_after)
}

fn certificates(
    file: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    // The cause may quote the line, and who mixed up the files has a key there.
    let all = all.map_err(|_| IdentityError::Pem(file))?;
    if all.is_empty() {
        return Err(IdentityError::NoCertificate(file));
    }
    Ok(all)
}

fn server(
    key: Arc<SingleCertAndKey>,
    authorities: Arc<RootCertStore>,
) -> Result<ServerConfig, IdentityError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider());
    let verifier = verifier.build().map_err(IdentityError::Verifier)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::SetUp)?;
    let mut config = config
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(key);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A session that is resumed shows no certificate, and outlives the one that it had.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}
