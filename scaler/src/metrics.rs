//! Every metric of this process: name, labels and help text. All labels come from closed sets.

use std::{sync::Arc, time::Duration};

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
use tonic::{Code, Status};
use wakegate_runtime::Sparing;

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
    wake_seconds: Histogram,
    refused: Family<Refused, Counter>,
    sparing: Arc<Sparing>,
}

/// Why something of a client was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// There are as many streams as are served.
    Streams,
    /// The connection has as many streams as one may have.
    ConnectionStreams,
    /// What came is no message.
    Garbage,
    /// A report contradicts the protocol, or is of more than one worker may have.
    Report,
    /// Another stream speaks for the worker, or a later life of it.
    Identity,
    /// Workers, keys and tables are as many as are stored.
    Room,
    /// No report came.
    Silent,
    /// The client did not read.
    Unread,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
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
        let metrics = Self {
            workers: Gauge::default(),
            keys: Gauge::default(),
            workloads: Gauge::default(),
            control_plane_connected: Gauge::default(),
            tables: Family::default(),
            pushes: Counter::default(),
            reports: Family::default(),
            calls: Family::default(),
            streams: Family::default(),
            // 20 µs to 10 s: the aim is 5 ms.
            wake_seconds: Histogram::new(exponential_buckets(0.000_02, 2.0, 20)),
            refused: Family::default(),
            sparing: Arc::default(),
        };
        let registry = registry.sub_registry_with_prefix("wakegate_scaler");
        let this = metrics.clone();
        registry.register(
            "workers",
            "Workers heard within the last 10 s",
            this.workers,
        );
        registry.register("keys", "Keys with numbers", this.keys);
        registry.register(
            "workloads",
            "Workloads that the control plane named",
            this.workloads,
        );
        registry.register(
            "control_plane_connected",
            "Whether the stream from the control plane is up",
            this.control_plane_connected,
        );
        registry.register(
            "tables",
            "Updates of the table, by what became of them",
            this.tables,
        );
        registry.register(
            "reports",
            "Reports of workers, by what became of them",
            this.reports,
        );
        registry.register(
            "keda_calls",
            "Calls of KEDA, by rpc and gRPC code",
            this.calls,
        );
        registry.register("streams", "Open streams, by rpc", this.streams);
        registry.register("pushes", "Times that a stream told KEDA true", this.pushes);
        registry.register(
            "wake_seconds",
            "From a report that was taken in to the true that it made",
            this.wake_seconds,
        );
        registry.register(
            "refused",
            "Streams and reports that were refused or ended, by the reason",
            this.refused,
        );
        metrics
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

    /// Counts a refusal. The log has one line a minute of each reason.
    pub(crate) fn refuse(&self, reason: Reason, proxy: &str, status: &Status) {
        self.refuse_some(reason, 1, proxy, status.message());
    }

    /// Counts streams that were ended because nobody read them.
    pub(crate) fn unread(&self, n_streams: usize) {
        if n_streams > 0 {
            let error = "the client does not read";
            self.refuse_some(Reason::Unread, n_streams, "", error);
        }
    }

    /// Whether a line of the log of this kind is due: then the number of those that were left out.
    pub(crate) fn line_due(&self, kind: &'static str) -> Option<u64> {
        self.sparing.due(kind)
    }

    fn refuse_some(&self, reason: Reason, n: usize, proxy: &str, error: &str) {
        let reason = reason.name();
        let refused = self.refused.get_or_create_owned(&Refused { reason });
        refused.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
        if let Some(left_out) = self.sparing.due(reason) {
            tracing::warn!(reason, proxy, error, left_out, "client refused");
        }
    }

    pub(crate) fn woke_after(&self, time: Duration) {
        self.wake_seconds.observe(time.as_secs_f64());
    }
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Streams => "streams",
            Self::ConnectionStreams => "connection_streams",
            Self::Garbage => "garbage",
            Self::Report => "report",
            Self::Identity => "identity",
            Self::Room => "room",
            Self::Silent => "silent",
            Self::Unread => "unread",
        }
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
