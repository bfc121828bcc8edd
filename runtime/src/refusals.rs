//! What of clients is refused: counted by its reason, and logged once a minute of each.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tonic::{Code, Status};

use crate::{NoPlace, Sparing};

/// What was refused. A clone is a handle to the same. A reason is a constant, and a label of the counter.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    counters: Family<Label, Counter>,
    sparing: Arc<Sparing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    reason: &'static str,
}

impl Refusals {
    /// What came is no message.
    pub const GARBAGE: &str = "garbage";
    /// The client did not read.
    const UNREAD: &str = "unread";

    /// Their counter is `refused_total`, with this text.
    pub fn register(registry: &mut Registry, help: &str) -> Self {
        let refusals = Self::default();
        registry.register("refused", help, refusals.counters.clone());
        refusals
    }

    /// Gives their counter a series, for [`reference::table`](crate::reference::table) alone.
    pub fn exemplify(&self) {
        self.count(Self::GARBAGE, 0);
    }

    /// Counts a refusal.
    pub fn refuse(&self, reason: &'static str, proxy: &str, status: &Status) {
        self.refuse_some(reason, 1, proxy, status.message());
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn refuse_connection(&self, reason: &'static str, from: &str, error: &str) {
        self.count(reason, 1);
        if let Some(left_out) = self.sparing.due(reason) {
            tracing::warn!(reason, from, error, left_out, "connection refused");
        }
    }

    /// Counts a client that gets no stream; what it is told.
    pub fn no_place(&self, full: NoPlace) -> Status {
        let reason = match full {
            NoPlace::Total(_) => "streams",
            NoPlace::Connection(_) => "connection_streams",
        };
        let status = Status::resource_exhausted(full.to_string());
        self.refuse(reason, "", &status);
        status
    }

    /// Counts streams that were ended because nobody read them.
    pub fn unread(&self, n_streams: usize) {
        if n_streams > 0 {
            let error = "the client does not read";
            self.refuse_some(Self::UNREAD, n_streams, "", error);
        }
    }

    /// Whether a line of the log of this kind is due: then the number of those that were left out.
    pub fn line_due(&self, kind: &'static str) -> Option<u64> {
        self.sparing.due(kind)
    }

    fn refuse_some(&self, reason: &'static str, n: usize, proxy: &str, error: &str) {
        self.count(reason, n);
        if let Some(left_out) = self.sparing.due(reason) {
            tracing::warn!(reason, proxy, error, left_out, "client refused");
        }
    }

    fn count(&self, reason: &'static str, n: usize) {
        let counter = self.counters.get_or_create_owned(&Label { reason });
        counter.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
    }
}

/// Whether a stream failed by what came on it, and not by its end.
pub fn is_garbage(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Internal | Code::OutOfRange | Code::Unimplemented
    )
}
