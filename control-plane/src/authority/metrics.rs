//! The metrics of the own authority.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{holders::Place, plan::Time, secrets::AUTHORITY};

/// The metrics of the own authority. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct AuthorityMetrics {
    writes: Family<WriteLabels, Counter>,
    ends: Family<SecretLabels, Gauge>,
}

/// What became of a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    /// It was written.
    Done,
    /// Another wrote it in between.
    Conflict,
    /// The API server does not let us.
    Refused,
    /// No answer, or a failure of the API server.
    Failed,
    /// Its namespace is not there.
    Absent,
    /// It is somebody else's, and left alone.
    Foreign,
    /// It is ours and cannot be used, and left alone.
    Broken,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    secret: &'static str,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    namespace: String,
    secret: &'static str,
}

impl AuthorityMetrics {
    /// Adds them to those of the control plane.
    pub(crate) fn register(all: &mut Registry) -> Self {
        let metrics = Self::default();
        all.register(
            "certificate_renewals",
            "Secrets of the own authority that were to be written, by what became of it: done, conflict, refused, failed; \
             absent: the namespace is not there; foreign: somebody else's is there; broken: the authority's cannot be \
             used. In the replica that leads",
            metrics.writes.clone(),
        );
        all.register(
            "issued_certificate_expiry_timestamp_seconds",
            "When the own authority (`wakegate-ca`) and each certificate that it signed ends, in seconds since 1970; in the \
             replica that leads",
            metrics.ends.clone(),
        );
        metrics
    }

    /// Gives each of them a series.
    #[cfg(test)]
    pub(crate) fn exemplify(&self) {
        self.wrote(AUTHORITY, Outcome::Done);
        self.ends("", AUTHORITY, Time::default());
    }

    /// A Secret was to be written.
    pub(super) fn wrote(&self, secret: &'static str, outcome: Outcome) {
        self.writes
            .get_or_create(&WriteLabels { secret, outcome })
            .inc();
    }

    /// The authority that signs lasts so long.
    pub(super) fn authority_ends(&self, namespace: &str, at: Time) {
        self.ends(namespace, AUTHORITY, at);
    }

    /// The certificate in a Secret lasts so long.
    pub(super) fn certificate_ends(&self, place: &Place, at: Time) {
        self.ends(&place.namespace, place.name, at);
    }

    fn ends(&self, namespace: &str, secret: &'static str, at: Time) {
        let namespace = namespace.to_owned();
        let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        self.ends
            .get_or_create(&SecretLabels { namespace, secret })
            .set(seconds);
    }

    /// Another replica looks after them now.
    pub(super) fn follows(&self) {
        self.ends.clear();
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Done => "done",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Absent => "absent",
            Self::Foreign => "foreign",
            Self::Broken => "broken",
        }
        .encode(encoder)
    }
}
