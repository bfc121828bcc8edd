//! Every metric of the control plane, with its labels and help text.

#[cfg(test)]
mod reference;
mod streams;

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use wakegate_runtime::{Refusals, TlsMetrics};

use crate::{
    authority::AuthorityMetrics, index::Index, object::Kind, snapshot::Snapshot,
    writers::WriterMetrics,
};

pub(crate) use self::streams::{OpenStream, StreamMetrics};

const REFUSED: &str =
    "Connections and streams of clients that were refused or ended, by the reason";

const LEADER: &str = "1 in the replica that holds the Lease and writes, else 0";

/// The metrics of the control plane. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    reloads: Counter<u64, AtomicU64>,
    reload_seconds: Histogram,
    objects: Family<KindLabel, Gauge>,
    watch_restarts: Family<KindLabel, Counter>,
    watch_errors: Family<KindLabel, Counter>,
    out_of_reach: Family<NameLabel, Gauge>,
    entities: Family<EntityLabel, Gauge>,
    ready_backends: Gauge,
    findings: Gauge,
    updates: Family<UpdateLabel, Counter>,
    acks: Family<AckLabel, Counter>,
    eds_responses: Counter,
    eds_refusals: Counter,
    leader: Gauge,
    /// The streams that are open.
    pub(crate) streams: StreamMetrics,
    /// Those of what is written to Kubernetes.
    pub writers: WriterMetrics,
    /// Those of the own authority.
    pub authority: AuthorityMetrics,
    /// What of clients was refused.
    pub refusals: Refusals,
    /// Those of certificates.
    pub tls: TlsMetrics,
}

/// What an update brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateKind {
    /// The whole table.
    Full,
    /// What differs.
    Difference,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckOutcome {
    /// It is in force.
    Applied,
    /// The subscriber did not take it.
    Refused,
    /// The subscriber did not answer.
    TimedOut,
}

/// What the table consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EntityKind {
    Route,
    Backend,
    Workload,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EntityLabel {
    kind: EntityKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpdateLabel {
    kind: UpdateKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AckLabel {
    outcome: AckOutcome,
}

/// From one file that changed to ten thousand that are read.
const RELOAD_BUCKETS: [f64; 8] = [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.1, 1.0, 10.0];

impl Metrics {
    /// Adds all metrics to `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let all = registry.sub_registry_with_prefix("wakegate_control_plane");
        let refusals = Refusals::register(all, REFUSED);
        let metrics = Self {
            reloads: Counter::default(),
            reload_seconds: Histogram::new(RELOAD_BUCKETS),
            objects: Family::default(),
            watch_restarts: Family::default(),
            watch_errors: Family::default(),
            out_of_reach: Family::default(),
            entities: Family::default(),
            ready_backends: Gauge::default(),
            findings: Gauge::default(),
            updates: Family::default(),
            acks: Family::default(),
            eds_responses: Counter::default(),
            eds_refusals: Counter::default(),
            leader: Gauge::default(),
            streams: StreamMetrics::register(all),
            writers: WriterMetrics::register(all),
            authority: AuthorityMetrics::register(all),
            tls: TlsMetrics::register(all, refusals.clone()),
            refusals,
        };
        metrics.register_watches(all);
        metrics.register_updates(all);
        all.register(
            "reloads",
            "Times that changes were taken in",
            metrics.reloads.clone(),
        );
        let reload_seconds = metrics.reload_seconds.clone();
        all.register(
            "reload_seconds",
            "From changes that are at hand to the next table",
            reload_seconds,
        );
        all.register("objects", "Objects that are read", metrics.objects.clone());
        all.register(
            "entities",
            "What the table consists of: routes, backends, workloads",
            metrics.entities.clone(),
        );
        let ready_backends = metrics.ready_backends.clone();
        all.register(
            "ready_backends",
            "Backends with a ready endpoint",
            ready_backends,
        );
        all.register(
            "findings",
            "Things that are wrong with objects; `/debug/routes` says which",
            metrics.findings.clone(),
        );
        let leader = metrics.leader.clone();
        all.register("leader", LEADER, leader);
        metrics
    }

    fn register_updates(&self, all: &mut Registry) {
        all.register(
            "updates",
            "Updates sent to filters and scalers, full or by difference",
            self.updates.clone(),
        );
        all.register(
            "acks",
            "What became of updates: applied, refused, timed out",
            self.acks.clone(),
        );
        let eds_responses = self.eds_responses.clone();
        all.register("eds_responses", "Responses sent to Envoys", eds_responses);
        let eds_refusals = self.eds_refusals.clone();
        all.register(
            "eds_refusals",
            "Responses that an Envoy refused",
            eds_refusals,
        );
    }

    fn register_watches(&self, all: &mut Registry) {
        let watch_restarts = self.watch_restarts.clone();
        all.register(
            "watch_restarts",
            "Times that a watch listed its objects anew",
            watch_restarts,
        );
        let watch_errors = self.watch_errors.clone();
        all.register(
            "watch_errors",
            "Times that a list or a watch failed or was cut",
            watch_errors,
        );
        let out_of_reach = self.out_of_reach.clone();
        all.register(
            "out_of_reach",
            "1 for a kind, or the Lease, that cannot be read for so long that this replica is not ready, else 0",
            out_of_reach,
        );
    }

    /// Changes were taken in and made a table, or none that differs.
    pub fn reloaded(&self, took: Duration, index: &Index, snapshot: &Snapshot) {
        self.reloads.inc();
        self.reload_seconds.observe(took.as_secs_f64());
        for (&kind, &n_objects) in index.n_objects() {
            self.objects
                .get_or_create(&KindLabel { kind })
                .set(gauge(n_objects));
        }
        for (kind, n_entities) in [
            (EntityKind::Route, snapshot.routes.size()),
            (EntityKind::Backend, snapshot.backends.size()),
            (EntityKind::Workload, snapshot.workloads.size()),
        ] {
            self.entities
                .get_or_create(&EntityLabel { kind })
                .set(gauge(n_entities));
        }
        self.ready_backends.set(gauge(snapshot.n_ready_backends));
        self.findings.set(gauge(snapshot.findings.len()));
    }

    /// A watch had to list its objects anew.
    pub fn watch_restarted(&self, kind: Kind) {
        self.watch_restarts.get_or_create(&KindLabel { kind }).inc();
    }

    /// A list or a watch failed, or was cut.
    pub fn watch_failed(&self, kind: Kind) {
        self.watch_errors.get_or_create(&KindLabel { kind }).inc();
    }

    /// A kind, or the Lease, cannot be read for long, or can be again.
    pub(crate) fn out_of_reach(&self, kind: &'static str, is_lost: bool) {
        let of_kind = self.out_of_reach.get_or_create_owned(&NameLabel { kind });
        of_kind.set(i64::from(is_lost));
    }

    /// An update began to be sent.
    pub fn update_sent(&self, kind: UpdateKind) {
        self.updates.get_or_create(&UpdateLabel { kind }).inc();
    }

    /// An update was answered, or not.
    pub fn acked(&self, outcome: AckOutcome) {
        self.acks.get_or_create(&AckLabel { outcome }).inc();
    }

    /// This replica leads now, or does not.
    pub fn leads(&self, is_leader: bool) {
        self.leader.set(i64::from(is_leader));
    }

    /// An Envoy was sent endpoints.
    pub fn eds_sent(&self) {
        self.eds_responses.inc();
    }

    /// An Envoy refused endpoints.
    pub fn eds_refused(&self) {
        self.eds_refusals.inc();
    }
}

fn gauge(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.as_str().encode(encoder)
    }
}

impl EncodeLabelValue for EntityKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Route => "route",
            Self::Backend => "backend",
            Self::Workload => "workload",
        }
        .encode(encoder)
    }
}

impl EncodeLabelValue for UpdateKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Full => "full",
            Self::Difference => "difference",
        }
        .encode(encoder)
    }
}

impl EncodeLabelValue for AckOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
        }
        .encode(encoder)
    }
}
