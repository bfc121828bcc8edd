//! The certificates of one cluster: an authority, one certificate that all its servers and the API server's
//! own client show, and the key that signs the tokens of service accounts.

use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The name under which the API server forwards requests to the metrics adapter.
pub(super) const FRONT_PROXY: &str = "front-proxy";

/// Who is asked for: by address, by name, and by the aggregator under the Service's name.
const NAMES: [&str; 6] = [
    "127.0.0.1",
    super::layout::ADVERTISED,
    "localhost",
    "kubernetes.default.svc",
    "keda-operator.keda.svc",
    super::objects::ADAPTER_HOST,
];

/// Writes `ca.crt`, `tls.crt`, `tls.key`, which are the names that KEDA wants, and `accounts.key` with
/// `accounts.pub`.
pub(super) fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).context("make the folder of certificates")?;
    let put = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).with_context(|| format!("write {name}"))
    };

    let mut params = CertificateParams::new(Vec::new()).context("describe the authority")?;
    params
        .distinguished_name
        .push(DnType::CommonName, "wakegate-e2e");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().context("make the authority's key")?;
    let authority = params.self_signed(&key).context("sign the authority")?;
    put("ca.crt", authority.pem())?;
    let issuer = Issuer::new(params, key);

    let names = NAMES.map(str::to_owned).to_vec();
    let mut params = CertificateParams::new(names).context("describe the certificate")?;
    params
        .distinguished_name
        .push(DnType::CommonName, FRONT_PROXY);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate().context("make the certificate's key")?;
    let certificate = params.signed_by(&key, &issuer).context("sign it")?;
    put("tls.crt", certificate.pem())?;
    put("tls.key", key.serialize_pem())?;

    let accounts = KeyPair::generate().context("make the service accounts' key")?;
    put("accounts.key", accounts.serialize_pem())?;
    put("accounts.pub", accounts.public_key_pem())
}
