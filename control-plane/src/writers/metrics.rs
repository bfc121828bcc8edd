//! The metrics of what is written.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The metrics of the writers. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct WriterMetrics {
    writes: Family<WriteLabels, Counter>,
    found: Family<FoundLabel, Counter>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Written {
    ScaledObject,
    WakePolicyStatus,
    /// And the finalizer of an HTTPScaledObject.
    AddOnStatus,
    Event,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WriteOutcome {
    Done,
    /// Somebody else has a field, or wrote in between.
    Conflict,
    /// By the API server or a webhook.
    Refused,
    /// No answer, or a failure of the API server.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    what: Written,
    outcome: WriteOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FoundLabel {
    reason: &'static str,
}

impl WriterMetrics {
    /// Adds them to those of the control plane.
    pub(crate) fn register(all: &mut Registry) -> Self {
        let metrics = Self::default();
        all.register(
            "writes",
            "Objects written to Kubernetes, by what became of it: done, conflict, refused, failed",
            metrics.writes.clone(),
        );
        all.register(
            "found",
            "Things that turned out to be wrong, by the reason of the Event; in the replica that writes",
            metrics.found.clone(),
        );
        metrics
    }

    /// Gives each of them a series.
    #[cfg(test)]
    pub(crate) fn exemplify(&self) {
        self.found("NotReadyImage");
        self.wrote(Written::Event, WriteOutcome::Done);
    }

    /// `reason` is of a closed set: each has a name in the code.
    pub(super) fn found(&self, reason: &'static str) {
        self.found.get_or_create(&FoundLabel { reason }).inc();
    }

    pub(super) fn wrote(&self, what: Written, outcome: WriteOutcome) {
        self.writes
            .get_or_create(&WriteLabels { what, outcome })
            .inc();
    }
}

impl EncodeLabelValue for Written {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::ScaledObject => "scaled_object",
            Self::WakePolicyStatus => "wake_policy_status",
            Self::AddOnStatus => "add_on_status",
            Self::Event => "event",
        }
        .encode(encoder)
    }
}

impl EncodeLabelValue for WriteOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Done => "done",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
        .encode(encoder)
    }
}
