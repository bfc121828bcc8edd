//! What of clients is refused: counted by its reason, and logged once a minute of each.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tonic::{Code, Status};
use wakegate_runtime::Sparing;

/// What was refused. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    counters: Family<Label, Counter>,
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
    /// No hello came, or none that can be used.
    Hello,
    /// The client broke the protocol later on.
    Protocol,
    /// The client did not read.
    Unread,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    reason: &'static str,
}

impl Refusals {
    pub(crate) fn register(all: &mut Registry) -> Self {
        let refusals = Self::default();
        all.register(
            "refused",
            "Streams of filters and scalers that were refused or ended, by the reason",
            refusals.counters.clone(),
        );
        refusals
    }

    /// Counts a refusal.
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
        let counter = self.counters.get_or_create_owned(&Label { reason });
        counter.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
        if let Some(left_out) = self.sparing.due(reason) {
            tracing::warn!(reason, proxy, error, left_out, "client refused");
        }
    }
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Streams => "streams",
            Self::ConnectionStreams => "connection_streams",
            Self::Garbage => "garbage",
            Self::Hello => "hello",
            Self::Protocol => "protocol",
            Self::Unread => "unread",
        }
    }
}

/// Whether a stream failed by what came on it, and not by its end.
pub(crate) fn is_garbage(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Internal | Code::OutOfRange | Code::Unimplemented
    )
}
