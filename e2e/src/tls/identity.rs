//! What one part shows and whom it trusts.

use std::fmt::{self, Debug, Formatter};

/// A certificate, its key, and the authorities that are trusted; all PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Who may have signed the other's.
    pub authorities: String,
}

impl Identity {
    /// One that trusts these instead.
    #[must_use]
    pub fn trusting(mut self, authorities: &str) -> Self {
        authorities.clone_into(&mut self.authorities);
        self
    }

    /// One that has nothing to show.
    #[must_use]
    pub fn without_certificate(mut self) -> Self {
        self.certificate.clear();
        self.key.clear();
        self
    }

    /// As a Secret has them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = [
            ("tls.crt", &self.certificate),
            ("tls.key", &self.key),
            ("ca.crt", &self.authorities),
        ];
        let files = files.into_iter().filter(|(_, text)| !text.is_empty());
        files.map(|(name, text)| (name, text.as_bytes()))
    }
}

impl Debug for Identity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Identity");
        shown.field("certificate", &self.certificate);
        shown.finish_non_exhaustive()
    }
}
