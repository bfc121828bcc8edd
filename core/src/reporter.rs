//! When a report leaves, and what it says: one in flight at a time, the rest coalesces.

use std::time::Duration;

use crate::{Demand, Key, Report};

/// A report leaves at least this often, also without news: it says that the worker lives.
const INTERVAL: Duration = Duration::from_secs(1);

/// The reports of one worker over its life.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any combination of them occurs"
)]
pub struct Reporter {
    /// Of the last report that left.
    sequence: u64,
    is_open: bool,
    is_in_flight: bool,
    is_full_due: bool,
    wants_keys: bool,
    is_urgent: bool,
    left_at: Duration,
}

impl Reporter {
    /// The stream is open: the first report on it says everything.
    pub fn opened(&mut self, demand: &mut Demand) {
        self.closed(demand);
        self.is_open = true;
        self.is_full_due = true;
    }

    /// The stream is gone: what was in flight may not have arrived.
    pub fn closed(&mut self, demand: &mut Demand) {
        if self.is_in_flight {
            demand.unacked();
        }
        self.is_open = false;
        self.is_in_flight = false;
        self.wants_keys = false;
    }

    /// The next report leaves as soon as it may: something is held where nothing was.
    pub fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// The scaler took in all up to `sequence`.
    pub fn acked(&mut self, sequence: u64, wants_keys: bool, demand: &mut Demand) {
        self.wants_keys |= wants_keys;
        // A heartbeat repeats an older number.
        if self.is_in_flight && sequence >= self.sequence {
            self.is_in_flight = false;
            demand.acked();
        }
    }

    /// The report that leaves now, if one does.
    pub fn poll<'a>(
        &mut self,
        now: Duration,
        demand: &mut Demand,
        known_digest: u64,
        known_keys: impl Iterator<Item = &'a Key>,
    ) -> Option<Report> {
        let is_due = self.is_full_due
            || self.is_urgent
            || self.wants_keys
            || now.saturating_sub(self.left_at) >= INTERVAL;
        if !self.is_open || self.is_in_flight || !is_due {
            return None;
        }
        let full = std::mem::take(&mut self.is_full_due);
        let wants_keys = std::mem::take(&mut self.wants_keys);
        self.is_urgent = false;
        self.is_in_flight = true;
        self.left_at = now;
        self.sequence = self.sequence.saturating_add(1);
        Some(Report {
            sequence: self.sequence,
            full,
            now,
            known_digest,
            known_keys: wants_keys.then(|| known_keys.cloned().collect()),
            keys: demand.report(now, full),
        })
    }
}
