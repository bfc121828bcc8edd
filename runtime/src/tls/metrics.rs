//! What is counted of certificates.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::identity::Lifetimes;
use crate::Refusals;

/// The metrics of TLS. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct TlsMetrics {
    expiry: Family<Label, Gauge>,
    reloads: Family<Outcome, Counter>,
    /// Where connections and requests that are refused are counted.
    pub(super) refusals: Refusals,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    certificate: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// What became of certificates that came to replace others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    Applied,
    Refused,
}

impl TlsMetrics {
    /// Adds them to a registry that has the daemon's prefix. What is refused is counted in `refusals`.
    pub fn register(registry: &mut Registry, refusals: Refusals) -> Self {
        let this = Self {
            expiry: Family::default(),
            reloads: Family::default(),
            refusals,
        };
        registry.register(
            "tls_certificate_expiry_timestamp_seconds",
            "When the `own` certificate ends, and the first `authority` that is trusted, in seconds since 1970",
            this.expiry.clone(),
        );
        registry.register(
            "tls_reloads",
            "Times that certificates came to replace others: applied, or refused (counted every 2 s until they are good)",
            this.reloads.clone(),
        );
        this
    }

    /// Gives each of them a series, for [`reference::table`](crate::reference::table) alone.
    pub fn exemplify(&self) {
        self.in_force(Lifetimes {
            own: 0,
            authorities: 0,
        });
        self.reloaded(Reload::Applied);
    }

    pub(super) fn in_force(&self, until: Lifetimes) {
        let Lifetimes { own, authorities } = until;
        for (certificate, end) in [("own", own), ("authority", authorities)] {
            self.expiry.get_or_create(&Label { certificate }).set(end);
        }
    }

    pub(super) fn reloaded(&self, outcome: Reload) {
        let outcome = match outcome {
            Reload::Applied => "applied",
            Reload::Refused => "refused",
        };
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }
}
