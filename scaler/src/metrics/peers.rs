//! The metrics of what replicas tell each other.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// What passes between replicas. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    pub(super) workers_here: Gauge,
    standings: Family<Standing, Gauge>,
    messages: Family<Direction, Counter>,
    bytes: Family<Direction, Counter>,
    pub(super) resyncs: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    standing: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

impl Peers {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "workers_here",
            "Of the workers heard within the last 10 s, those that report to this replica",
            self.workers_here.clone(),
        );
        registry.register(
            "peers",
            "Other replicas, by whether they are heard: heard, unheard, gone",
            self.standings.clone(),
        );
        registry.register(
            "peer_messages",
            "Messages between replicas, sent and taken",
            self.messages.clone(),
        );
        registry.register(
            "peer_bytes",
            "Bytes of the messages between replicas, sent and taken",
            self.bytes.clone(),
        );
        registry.register(
            "resyncs",
            "Times that the whole ledger of another replica was taken in: one for each at the start, then one after each \
             time that it was not heard",
            self.resyncs.clone(),
        );
    }

    pub(super) fn set(&self, counts: [usize; 3]) {
        for (standing, n) in ["heard", "unheard", "gone"].into_iter().zip(counts) {
            let n = i64::try_from(n).unwrap_or(i64::MAX);
            let gauge = self.standings.get_or_create(&Standing { standing });
            gauge.set(n);
        }
    }

    pub(super) fn moved(&self, direction: &'static str, n_bytes: usize) {
        let direction = Direction { direction };
        self.messages.get_or_create(&direction).inc();
        let n_bytes = u64::try_from(n_bytes).unwrap_or(u64::MAX);
        self.bytes.get_or_create(&direction).inc_by(n_bytes);
    }
}
