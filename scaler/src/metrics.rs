//! Every metric of this process: name, labels and help text. All labels come from closed sets.

mod add_on;
mod peers;
#[cfg(test)]
mod reference;

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tonic::Code;
use wakegate_runtime::{Refusals, TlsMetrics};

use self::peers::Peers;

pub(crate) use self::add_on::AddOnMetrics;

/// The metrics of a scaler. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) workers: Gauge,
    pub(crate) keys: Gauge,
    pub(crate) workloads: Gauge,
    pub(crate) control_plane_connected: Gauge,
    pub(crate) tables: Family<Outcome, Counter>,
    pub(crate) pushes: Counter,
    reports: Family<Outcome, Counter>,
    calls: Family<Call, Counter>,
    streams: Family<Rpc, Gauge>,
    peers: Peers,
    wake_seconds: Histogram,
    pub(crate) refusals: Refusals,
    pub(crate) tls: TlsMetrics,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    rpc: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rpc {
    rpc: &'static str,
}

/// A stream that is open for as long as this lives.
#[must_use]
#[derive(Debug)]
pub(crate) struct OpenStream(Gauge);

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let mut metrics = Self {
            workers: Gauge::default(),
            keys: Gauge::default(),
            workloads: Gauge::default(),
            control_plane_connected: Gauge::default(),
            tables: Family::default(),
            pushes: Counter::default(),
            reports: Family::default(),
            calls: Family::default(),
            streams: Family::default(),
            peers: Peers::default(),
            // 20 µs to 10 s: the aim is 5 ms.
            wake_seconds: Histogram::new(exponential_buckets(0.000_02, 2.0, 20)),
            refusals: Refusals::default(),
            tls: TlsMetrics::default(),
        };
        let registry = registry.sub_registry_with_prefix("wakegate_scaler");
        metrics.clone().register_own(registry);
        metrics.refusals = Refusals::register(
            registry,
            "Connections, streams, calls and reports that were refused or ended, by the reason",
        );
        metrics.tls = TlsMetrics::register(registry, metrics.refusals.clone());
        metrics
    }

    fn register_own(self, registry: &mut Registry) {
        registry.register(
            "workers",
            "Workers heard within the last 10 s, by this replica or another",
            self.workers,
        );
        self.peers.register(registry);
        registry.register("keys", "Keys with numbers", self.keys);
        registry.register(
            "workloads",
            "Workloads that the control plane named",
            self.workloads,
        );
        registry.register(
            "control_plane_connected",
            "Whether the stream from the control plane is up",
            self.control_plane_connected,
        );
        registry.register(
            "tables",
            "Updates of the table, by what became of them",
            self.tables,
        );
        registry.register(
            "reports",
            "Reports of workers, by what became of them",
            self.reports,
        );
        registry.register(
            "keda_calls",
            "Calls of KEDA, by method and gRPC code",
            self.calls,
        );
        registry.register("streams", "Open streams, by method", self.streams);
        registry.register(
            "pushes",
            "Times that a stream told KEDA `true`",
            self.pushes,
        );
        registry.register(
            "wake_seconds",
            "From a report that was taken in to the `true` that it made",
            self.wake_seconds,
        );
    }

    /// Other replicas: heard, not heard, and gone.
    pub(crate) fn peers(&self, counts: [usize; 3]) {
        self.peers.set(counts);
    }

    /// Workers that report to this replica.
    pub(crate) fn workers_here(&self) -> &Gauge {
        &self.peers.workers_here
    }

    /// A message to another replica.
    pub(crate) fn sent(&self, n_bytes: usize) {
        self.peers.moved("sent", n_bytes);
    }

    /// A message of another replica.
    pub(crate) fn taken(&self, n_bytes: usize) {
        self.peers.moved("taken", n_bytes);
    }

    /// The whole ledger of another replica was taken in.
    pub(crate) fn resynced(&self) {
        self.peers.resyncs.inc();
    }

    pub(crate) fn report(&self, outcome: &'static str) {
        self.reports.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn table(&self, outcome: &'static str) {
        self.tables.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn call(&self, rpc: &'static str, code: Code) {
        self.calls
            .get_or_create(&Call {
                rpc,
                code: name(code),
            })
            .inc();
    }

    pub(crate) fn stream(&self, rpc: &'static str) -> OpenStream {
        let gauge = self.streams.get_or_create_owned(&Rpc { rpc });
        gauge.inc();
        OpenStream(gauge)
    }

    pub(crate) fn woke_after(&self, time: Duration) {
        self.wake_seconds.observe(time.as_secs_f64());
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The codes that a scaler gives, as gRPC spells them.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::NotFound => "NOT_FOUND",
        Code::Unavailable => "UNAVAILABLE",
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => "OTHER",
    }
}
