//! The flags of the own authority.

use std::time::Duration;

use anyhow::ensure;

use crate::authority::Lifetimes;

/// The flags of the own authority, which mean nothing where certificates are given or there is no TLS.
#[derive(Clone, Debug, clap::Args)]
pub struct AuthorityArgs {
    /// A namespace with Envoys, which gets the Secret wakegate-filter-tls of the own authority; may be given again
    #[arg(
        long,
        env = "WAKEGATE_FILTER_NAMESPACE",
        value_name = "NS",
        value_delimiter = ',',
        conflicts_with = "manifests"
    )]
    pub filter_namespace: Vec<String>,

    /// The namespace of KEDA, which gets the Secret wakegate-keda-tls of the own authority
    #[arg(
        long,
        env = "WAKEGATE_KEDA_NAMESPACE",
        value_name = "NS",
        default_value = "keda",
        conflicts_with = "manifests"
    )]
    pub keda_namespace: String,

    /// How long an authority of our own lasts: five times as long as a certificate at least
    #[arg(
        long,
        env = "WAKEGATE_AUTHORITY_LIFETIME_SECS",
        value_name = "SECONDS",
        default_value_t = Lifetimes::default().authority.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=LONGEST),
        conflicts_with = "manifests"
    )]
    pub authority_lifetime_secs: u64,

    /// How long a certificate of that authority lasts: four times as long as the overlap at least
    #[arg(
        long,
        env = "WAKEGATE_CERTIFICATE_LIFETIME_SECS",
        value_name = "SECONDS",
        default_value_t = Lifetimes::default().certificate.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=LONGEST),
        conflicts_with = "manifests"
    )]
    pub certificate_lifetime_secs: u64,

    /// How long after a Secret has changed it may still be in use as it was
    #[arg(
        long,
        env = "WAKEGATE_CERTIFICATE_OVERLAP_SECS",
        value_name = "SECONDS",
        default_value_t = Lifetimes::default().overlap.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=LONGEST),
        conflicts_with = "manifests"
    )]
    pub certificate_overlap_secs: u64,
}

/// Some hundred years: what is longer is a slip.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;

impl AuthorityArgs {
    /// How long things last.
    pub(super) fn lifetimes(&self) -> anyhow::Result<Lifetimes> {
        let lifetimes = Lifetimes {
            authority: Duration::from_secs(self.authority_lifetime_secs),
            certificate: Duration::from_secs(self.certificate_lifetime_secs),
            overlap: Duration::from_secs(self.certificate_overlap_secs),
        };
        ensure!(
            lifetimes.fit(),
            "a certificate has to last four times --certificate-overlap-secs, and an authority five times \
             --certificate-lifetime-secs"
        );
        Ok(lifetimes)
    }
}
