//! An authority of a test's own, and what it signs.

use std::fmt::{self, Debug, Formatter};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::identity::Identity;

/// Who is at one end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The control plane.
    ControlPlane,
    /// The scaler.
    Scaler,
    /// An Envoy with the filter.
    Filter,
    /// KEDA's operator.
    Keda,
}

/// An authority. All have the same name, as one does that gets a new key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Role {
    /// All.
    pub const ALL: [Self; 4] = [Self::ControlPlane, Self::Scaler, Self::Filter, Self::Keda];

    /// As it is called in names.
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Scaler => "scaler",
            Self::Filter => "filter",
            Self::Keda => "keda",
        }
    }

    /// The URI that its certificate has.
    pub fn uri(self) -> String {
        format!("spiffe://wakegate.dev/{}", self.name())
    }

    /// The name and addresses that KEDA and others ask for.
    fn hosts(self) -> Vec<String> {
        match self {
            Self::ControlPlane | Self::Scaler => {
                let service = format!("wakegate-{}", self.name());
                let whole = format!("{service}.wakegate.svc");
                vec![service, whole, "localhost".into(), "127.0.0.1".into()]
            }
            Self::Filter | Self::Keda => Vec::new(),
        }
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).context("describe the authority")?;
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "wakegate-e2e");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("make the authority's key")?;
        let certificate = params.self_signed(&key).context("sign the authority")?;
        Ok(Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What a part shows that it is `role`; it trusts this authority.
    pub fn issue(&self, role: Role) -> Result<Identity> {
        self.sign(&role_params(role)?)
    }

    /// The same, but of the past.
    pub fn issue_expired(&self, role: Role) -> Result<Identity> {
        let mut params = role_params(role)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&params)
    }

    /// For servers that are no part of Wakegate: host names and addresses, and a name of its own.
    pub(crate) fn issue_named(&self, hosts: Vec<String>, name: &str) -> Result<Identity> {
        self.sign(&params(hosts, name)?)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate().context("make the certificate's key")?;
        let certificate = params.signed_by(&key, &self.issuer);
        Ok(Identity {
            certificate: certificate.context("sign a certificate")?.pem(),
            key: key.serialize_pem(),
            authorities: self.pem.clone(),
        })
    }
}

impl Debug for Authority {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn role_params(role: Role) -> Result<CertificateParams> {
    let mut params = params(role.hosts(), role.name())?;
    let uri = role.uri().try_into().context("write the role's URI")?;
    params.subject_alt_names.push(SanType::URI(uri));
    Ok(params)
}

fn params(hosts: Vec<String>, name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts).context("describe the certificate")?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}
