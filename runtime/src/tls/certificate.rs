//! What of a certificate matters here: its names, and when it is valid.

use rustls::pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate, error::X509Error, extensions::GeneralName,
    parse_x509_certificate, time::ASN1Time,
};

/// What a certificate says.
#[derive(Debug)]
pub(super) struct Facts {
    /// Its URI and DNS names.
    pub(super) names: Vec<String>,
    pub(super) not_before: ASN1Time,
    pub(super) not_after: ASN1Time,
}

impl Facts {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, X509Error> {
        let (_, certificate) = parse_x509_certificate(certificate)?;
        let validity = certificate.validity();
        Ok(Self {
            names: names(&certificate)?,
            not_before: validity.not_before,
            not_after: validity.not_after,
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Result<Vec<String>, X509Error> {
    let Some(alternative) = certificate.subject_alternative_name()? else {
        return Ok(Vec::new());
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "roles go by names of these two kinds"
    )]
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::URI(name) | GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    let all = alternative.value.general_names.iter();
    Ok(all.filter_map(name).collect())
}
