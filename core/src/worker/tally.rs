//! What happened since the edge last looked: for its counters.

use std::time::Duration;

use crate::Reason;

/// Counts since they were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were held.
    pub held: u64,
    /// Held requests that were released.
    pub released: u64,
    /// Held requests whose client left.
    pub client_left: u64,
    /// Requests that were answered, by reason.
    pub hold_timeout: u64,
    /// See [`Reason::Overflow`].
    pub overflow: u64,
    /// See [`Reason::Paused`].
    pub paused: u64,
    /// See [`Reason::NoCluster`].
    pub no_cluster: u64,
    /// See [`Reason::NoWake`].
    pub no_wake: u64,
    /// See [`Reason::Placeholder`].
    pub placeholder: u64,
    /// See [`Reason::StaticRoute`].
    pub static_route: u64,
    /// Released requests that Envoy could not bring to the backend.
    pub lost: u64,
    /// Requests that passed uncounted because there was no table yet.
    pub passed_without_table: u64,
    /// Backends found without a host although they were said to be ready.
    pub learned_zero: u64,
    /// How long each backend that woke took: from its first held request to the first release.
    pub cold_starts: Vec<Duration>,
    /// How long each thaw took, from the first release until nothing was held.
    pub thaws: Vec<Duration>,
}

/// Durations kept until they are taken: a tick takes them ten times a second, so that more than this is
/// a fleet waking at once, and the histogram can spare some.
const MAX_DURATIONS: usize = 256;

impl Tally {
    pub(super) fn answered(&mut self, reason: Reason) {
        let count = match reason {
            Reason::HoldTimeout => &mut self.hold_timeout,
            Reason::Overflow => &mut self.overflow,
            Reason::Paused => &mut self.paused,
            Reason::NoCluster => &mut self.no_cluster,
            Reason::NoWake => &mut self.no_wake,
            Reason::Placeholder => &mut self.placeholder,
            Reason::StaticRoute => &mut self.static_route,
        };
        *count = count.saturating_add(1);
    }

    pub(super) fn cold_start(&mut self, took: Duration) {
        if self.cold_starts.len() < MAX_DURATIONS {
            self.cold_starts.push(took);
        }
    }

    pub(super) fn thaw(&mut self, took: Duration) {
        if self.thaws.len() < MAX_DURATIONS {
            self.thaws.push(took);
        }
    }
}
