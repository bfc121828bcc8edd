//! Certificates as they are: made, and read back. Decides nothing.

use std::{collections::BTreeSet, fmt, net::IpAddr, time::Duration};

use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, parse_x509_certificate};

use super::plan::{AuthorityId, Ca, Term, Time};

/// Clocks of machines differ, and a certificate that is not valid yet is as bad as one that has ended.
const BACKDATED: Duration = Duration::from_mins(5);

/// The year 9000: what comes much later is no date of a certificate.
const LAST: Duration = Duration::from_hours(7_030 * 365 * 24);

/// What stands in the first line of a certificate.
const CERTIFICATE: &str = "CERTIFICATE";

/// What is wrong with a certificate or its key. Says nothing of what a key contains.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error("not a certificate in PEM")]
    Pem,
    #[error("not an X.509 certificate")]
    Certificate,
    #[error("not a certificate of an authority")]
    NoAuthority,
    #[error("not a private key in PEM")]
    Key(#[source] rcgen::Error),
    #[error("the private key belongs to another certificate")]
    OtherKey,
    #[error("make a certificate")]
    Make(#[source] rcgen::Error),
}

/// A private key in PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeyPem(String);

/// An authority that signatures are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) ca: Ca,
    pub(super) pem: String,
    der: Vec<u8>,
}

/// An authority that signs.
pub(super) struct Signer {
    pub(super) known: Known,
    pub(super) key: KeyPem,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    /// For a reader's eye.
    pub(super) common_name: &'static str,
    /// The role.
    pub(super) uri: &'static str,
    /// Where a server is reached.
    pub(super) names: BTreeSet<Name>,
    /// Whether others connect to it.
    pub(super) is_server: bool,
}

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Dns(String),
    Ip(IpAddr),
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: KeyPem,
}

/// What a certificate turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) signer: Option<AuthorityId>,
    pub(super) term: Term,
    pub(super) is_as_wanted: bool,
}

impl Known {
    fn of_der(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = parse(der)?;
        if !certificate.is_ca() {
            return Err(CertificateError::NoAuthority);
        }
        let ca = Ca {
            id: digest(der),
            term: term(&certificate),
        };
        Ok(Self {
            ca,
            pem: pem::encode_config(&Pem::new(CERTIFICATE, der), lines()),
            der: der.to_vec(),
        })
    }

    /// All authorities of a text.
    pub(super) fn all(text: &[u8]) -> Result<Vec<Self>, CertificateError> {
        ders(text)?.iter().map(|der| Self::of_der(der)).collect()
    }

    fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        parse(&self.der).is_ok_and(|own| {
            let key = own.public_key();
            certificate.issuer().as_raw() == own.subject().as_raw()
                && certificate.verify_signature(Some(key)).is_ok()
        })
    }
}

impl Signer {
    /// A new one, with a key of its own and a name that no other has.
    pub(super) fn make(term: Term) -> Result<Self, CertificateError> {
        let name = format!("wakegate-ca-{:016x}", rand::random::<u64>());
        let mut params = params(&name, term);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(CertificateError::Make)?;
        let certificate = params.self_signed(&key).map_err(CertificateError::Make)?;
        Ok(Self {
            known: Known::of_der(certificate.der())?,
            key: KeyPem(key.serialize_pem()),
            issuer: Issuer::new(params, key),
        })
    }

    /// One that was made before.
    pub(super) fn read(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let der = ders(certificate)?.swap_remove(0);
        let known = Known::of_der(&der)?;
        let key = KeyPem::new(key)?;
        let pair = key.pair()?;
        if !is_key_of(&pair, &parse(&der)?) {
            return Err(CertificateError::OtherKey);
        }
        let issuer = Issuer::from_ca_cert_der(&der.as_slice().into(), pair);
        let issuer = issuer.map_err(CertificateError::Make)?;
        Ok(Self { known, key, issuer })
    }

    /// A certificate with a key of its own.
    pub(super) fn issue(&self, profile: &Profile, term: Term) -> Result<Issued, CertificateError> {
        let mut params = params(profile.common_name, term);
        params.subject_alt_names = profile.sans()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if profile.is_server {
            let server = ExtendedKeyUsagePurpose::ServerAuth;
            params.extended_key_usages.push(server);
        }
        let key = KeyPair::generate().map_err(CertificateError::Make)?;
        let certificate = params.signed_by(&key, &self.issuer);
        Ok(Issued {
            certificate: certificate.map_err(CertificateError::Make)?.pem(),
            key: KeyPem(key.serialize_pem()),
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = &self.known;
        f.debug_struct("Signer")
            .field("known", known)
            .finish_non_exhaustive()
    }
}

impl Issued {
    /// What stands in a Secret, against what should. Any of `authorities` may have signed it.
    pub(super) fn read<'a>(
        certificate: &[u8],
        key: &[u8],
        profile: &Profile,
        authorities: impl IntoIterator<Item = &'a Known>,
    ) -> Result<Read, CertificateError> {
        let der = ders(certificate)?.swap_remove(0);
        let certificate = parse(&der)?;
        let key = KeyPem::new(key)?.pair()?;
        let mut authorities = authorities.into_iter();
        let signer = authorities.find(|known| known.has_signed(&certificate));
        Ok(Read {
            signer: signer.map(|known| known.ca.id),
            term: term(&certificate),
            is_as_wanted: is_key_of(&key, &certificate) && profile.is_that_of(&certificate),
        })
    }
}

impl Profile {
    fn sans(&self) -> Result<Vec<SanType>, CertificateError> {
        let text = |text: &str| text.try_into().map_err(CertificateError::Make);
        let names = self.names.iter().map(|name| {
            Ok(match name {
                Name::Dns(name) => SanType::DnsName(text(name)?),
                Name::Ip(address) => SanType::IpAddress(*address),
            })
        });
        let uri = text(self.uri).map(SanType::URI);
        [uri].into_iter().chain(names).collect()
    }

    fn is_that_of(&self, certificate: &X509Certificate<'_>) -> bool {
        let uses = certificate.extended_key_usage().ok().flatten();
        let uses = uses
            .is_some_and(|uses| uses.value.client_auth && uses.value.server_auth == self.is_server);
        let sans = certificate.subject_alternative_name().ok().flatten();
        let sans = sans.is_some_and(|sans| self.are_sans(&sans.value.general_names));
        uses && sans && !certificate.is_ca()
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "no name of another kind is wanted"
    )]
    fn are_sans(&self, sans: &[GeneralName<'_>]) -> bool {
        let (mut uris, mut names) = (Vec::new(), BTreeSet::new());
        for san in sans {
            match san {
                GeneralName::URI(uri) => uris.push(*uri),
                GeneralName::DNSName(name) => {
                    names.insert(Name::Dns((*name).to_owned()));
                }
                GeneralName::IPAddress(octets) => match address(octets) {
                    Some(address) => {
                        names.insert(Name::Ip(address));
                    }
                    None => return false,
                },
                _ => return false,
            }
        }
        uris == [self.uri] && names == self.names
    }
}

impl KeyPem {
    fn new(text: &[u8]) -> Result<Self, CertificateError> {
        let text = str::from_utf8(text);
        let no_text = |_| CertificateError::Key(rcgen::Error::CouldNotParseKeyPair);
        Ok(Self(text.map_err(no_text)?.to_owned()))
    }

    fn pair(&self) -> Result<KeyPair, CertificateError> {
        KeyPair::from_pem(&self.0).map_err(CertificateError::Key)
    }

    /// The key, for whom it is meant.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPem(..)")
    }
}

/// The digests of all certificates of a text.
pub(super) fn digests(text: &[u8]) -> Result<BTreeSet<AuthorityId>, CertificateError> {
    Ok(ders(text)?.iter().map(|der| digest(der)).collect())
}

/// Lines that end as others end them.
fn lines() -> EncodeConfig {
    EncodeConfig::new().set_line_ending(LineEnding::LF)
}

/// At least one.
fn ders(text: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let all = pem::parse_many(text).map_err(|_| CertificateError::Pem)?;
    if all.is_empty() || all.iter().any(|pem| pem.tag() != CERTIFICATE) {
        return Err(CertificateError::Pem);
    }
    Ok(all.into_iter().map(Pem::into_contents).collect())
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(CertificateError::Certificate),
    }
}

fn digest(der: &[u8]) -> AuthorityId {
    Sha256::digest(der).into()
}

fn is_key_of(key: &KeyPair, certificate: &X509Certificate<'_>) -> bool {
    key.public_key_raw() == &*certificate.public_key().subject_public_key.data
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
    v4.or(v6).ok()
}

fn params(name: &str, term: Term) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let date = |time: Time| date_time_ymd(1970, 1, 1) + time.min(LAST);
    params.not_before = date(term.from.saturating_sub(BACKDATED));
    params.not_after = date(term.until);
    params
}

fn term(certificate: &X509Certificate<'_>) -> Term {
    let validity = certificate.validity();
    let time = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    Term {
        from: time(validity.not_before.timestamp()) + BACKDATED,
        until: time(validity.not_after.timestamp()),
    }
}

#[cfg(test)]
mod tests;
