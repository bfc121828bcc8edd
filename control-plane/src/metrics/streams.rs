//! The streams that are open: they show how clients are spread over replicas.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// The metrics of streams. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamMetrics {
    subscribers: Family<RoleLabel, Gauge>,
    envoys: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabel {
    role: &'static str,
}

/// A stream that is open for as long as this lives.
#[must_use]
#[derive(Debug)]
pub(crate) struct OpenStream(Gauge);

impl StreamMetrics {
    pub(super) fn register(all: &mut Registry) -> Self {
        let metrics = Self::default();
        all.register(
            "subscribers",
            "Streams of filter workers and of scalers: how they are spread over replicas",
            metrics.subscribers.clone(),
        );
        all.register(
            "eds_streams",
            "Streams on which Envoys hear of endpoints",
            metrics.envoys.clone(),
        );
        metrics
    }

    /// A filter worker or a scaler subscribed.
    pub(crate) fn subscribed(&self, role: &'static str) -> OpenStream {
        OpenStream::new(self.subscribers.get_or_create_owned(&RoleLabel { role }))
    }

    /// An Envoy opened a stream.
    pub(crate) fn envoy(&self) -> OpenStream {
        OpenStream::new(self.envoys.clone())
    }
}

impl OpenStream {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
