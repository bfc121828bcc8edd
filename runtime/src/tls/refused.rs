//! Why a connection is refused, as a label.

use std::io;

use rustls::{CertificateError, Error};

/// The certificate is good, and for another role.
pub(super) const ROLE: &str = "role";

/// There are as many handshakes under way as there may be.
pub(super) const HANDSHAKES: &str = "handshakes";

/// It did not come to certificates: no TLS, another version of it, or too slow.
pub(super) const HANDSHAKE: &str = "handshake";

/// No certificate came.
const MISSING: &str = "certificate_missing";

/// It is too late for the certificate, or too early.
const EXPIRED: &str = "certificate_expired";

/// It is not of an authority that is trusted here.
const UNKNOWN_AUTHORITY: &str = "certificate_unknown_authority";

/// Something else is wrong with the certificate.
const OTHER: &str = "certificate";

/// Why a handshake failed.
pub(super) fn reason(error: &io::Error) -> &'static str {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::NoCertificatesPresented) => MISSING,
        Some(Error::InvalidCertificate(error)) => of_certificate(error),
        _ => HANDSHAKE,
    }
}

fn of_certificate(error: &CertificateError) -> &'static str {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls may tell more apart one day"
    )]
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => EXPIRED,
        // A bad signature is what another authority of the same name leaves.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => UNKNOWN_AUTHORITY,
        _ => OTHER,
    }
}
