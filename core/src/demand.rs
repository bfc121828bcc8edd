//! Counts what one worker holds and runs, under each key, to the request and to the microsecond.

use std::{mem, time::Duration};

use crate::{Key, KeyReport, places::Places};

/// The exact demand of one worker.
///
/// A report names what changed since the last one that was acked. A key with the same requests as
/// before, and no start or end, is no news: the ledger extrapolates its integral.
///
/// ```
/// # use std::time::Duration;
/// # use wakegate_core::{Demand, Key};
/// let (mut demand, key) = (Demand::default(), Key::service("shop", "web"));
/// demand.start_held(Duration::from_millis(10), &key);
/// demand.release(Duration::from_millis(30), &key);
/// demand.end_running(Duration::from_millis(35), &key);
/// let report = demand.report(Duration::from_millis(100), false);
/// assert_eq!((report[0].started, report[0].ended, report[0].integral_ms), (1, 1, 25));
/// demand.acked();
/// assert!(!demand.has_news());
/// ```
#[derive(Debug, Default)]
pub struct Demand {
    keys: Places<Key, Counters>,
    totals: Totals,
    /// Each key that has `is_changed`, once.
    changed: Vec<Key>,
    /// Each key that has `is_under_way`, once.
    under_way: Vec<Key>,
    n_unmatched: u64,
}

/// Requests of all keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests held now.
    pub held: u32,
    /// Requests running now.
    pub running: u32,
}

#[derive(Debug, Default)]
struct Counters {
    now: Totals,
    started: u64,
    ended: u64,
    shed: u64,
    integral_us: u64,
    /// Up to when the integral goes.
    integrated_us: u64,
    is_changed: bool,
    is_under_way: bool,
    /// No longer in the table: forgotten once it is zero and reported.
    is_gone: bool,
}

impl Demand {
    /// Takes a key of the table: what has this `key` is counted without a hash of its text.
    pub fn place(&mut self, key: &mut Key) {
        self.keys.insert_with(key, Counters::default);
        self.keys.place(key);
        if let Some(counters) = self.keys.get_mut(key) {
            counters.is_gone = false;
        }
    }

    /// A request starts, and is held.
    pub fn start_held(&mut self, now: Duration, key: &Key) {
        let Some(counters) = self.change_or_insert(now, key) else {
            return;
        };
        counters.started = counters.started.saturating_add(1);
        counters.now.held = counters.now.held.saturating_add(1);
        self.totals.held = self.totals.held.saturating_add(1);
    }

    /// A request starts, and runs.
    pub fn start_running(&mut self, now: Duration, key: &Key) {
        let Some(counters) = self.change_or_insert(now, key) else {
            return;
        };
        counters.started = counters.started.saturating_add(1);
        counters.now.running = counters.now.running.saturating_add(1);
        self.totals.running = self.totals.running.saturating_add(1);
    }

    /// A held request runs from now on.
    pub fn release(&mut self, now: Duration, key: &Key) {
        let Some(counters) = self.change(now, key, |now| now.held > 0) else {
            return;
        };
        counters.now.held = counters.now.held.saturating_sub(1);
        counters.now.running = counters.now.running.saturating_add(1);
        self.totals.held = self.totals.held.saturating_sub(1);
        self.totals.running = self.totals.running.saturating_add(1);
    }

    /// A request ends that was held to the end.
    pub fn end_held(&mut self, now: Duration, key: &Key) {
        let Some(counters) = self.change(now, key, |now| now.held > 0) else {
            return;
        };
        counters.ended = counters.ended.saturating_add(1);
        counters.now.held = counters.now.held.saturating_sub(1);
        self.totals.held = self.totals.held.saturating_sub(1);
    }

    /// A running request ends.
    pub fn end_running(&mut self, now: Duration, key: &Key) {
        let Some(counters) = self.change(now, key, |now| now.running > 0) else {
            return;
        };
        counters.ended = counters.ended.saturating_add(1);
        counters.now.running = counters.now.running.saturating_sub(1);
        self.totals.running = self.totals.running.saturating_sub(1);
    }

    /// A request starts and ends at once: there was no room to hold it.
    pub fn shed(&mut self, now: Duration, key: &Key) {
        let Some(counters) = self.change_or_insert(now, key) else {
            return;
        };
        counters.started = counters.started.saturating_add(1);
        counters.ended = counters.ended.saturating_add(1);
        counters.shed = counters.shed.saturating_add(1);
    }

    /// Requests of all keys.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Requests of `key` that are held now.
    pub fn held(&self, key: &Key) -> u32 {
        self.keys.get(key).map_or(0, |counters| counters.now.held)
    }

    /// Ends and releases of requests that never started: an error of the caller, and counted nowhere
    /// else.
    pub fn n_unmatched(&self) -> u64 {
        self.n_unmatched
    }

    /// Whether a report would name anything.
    pub fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The keys that changed since the last report that was acked; with `full` also those that are not
    /// zero. They count as under way until [`acked`](Self::acked) or [`unacked`](Self::unacked): one
    /// report is under way at a time, and an earlier one without an ack is repeated in this.
    pub fn report(&mut self, now: Duration, full: bool) -> Vec<KeyReport> {
        self.unacked();
        if full {
            self.mark_all_non_zero();
        }
        let mut reports = Vec::with_capacity(self.changed.len());
        for key in self.changed.drain(..) {
            let Some(counters) = self.keys.get_mut(&key) else {
                continue;
            };
            counters.is_changed = false;
            counters.is_under_way = true;
            counters.integrate(now);
            reports.push(counters.report(key.clone()));
            self.under_way.push(key);
        }
        reports
    }

    /// The last report has arrived.
    pub fn acked(&mut self) {
        for key in self.under_way.drain(..) {
            let Some(counters) = self.keys.get_mut(&key) else {
                continue;
            };
            counters.is_under_way = false;
            if counters.is_forgettable() {
                self.keys.remove(&key);
            }
        }
    }

    /// The last report may not have arrived: what it named is news again.
    pub fn unacked(&mut self) {
        for key in self.under_way.drain(..) {
            let Some(counters) = self.keys.get_mut(&key) else {
                continue;
            };
            counters.is_under_way = false;
            if !mem::replace(&mut counters.is_changed, true) {
                self.changed.push(key);
            }
        }
    }

    /// Forgets the keys that are not in the table, each once it is zero and reported.
    pub fn retain(&mut self, keep: impl Fn(&Key) -> bool) {
        self.keys.retain(|key, counters| {
            counters.is_gone = !keep(key);
            !counters.is_forgettable()
        });
    }

    /// What was counted makes a key non-zero as well: a scaler that meets this worker for the first time
    /// takes differences to these totals, and would take the next one whole for starts.
    fn mark_all_non_zero(&mut self) {
        for (key, counters) in self.keys.iter_mut() {
            let is_zero = counters.now.is_zero() && counters.started == 0;
            if !is_zero && !mem::replace(&mut counters.is_changed, true) {
                self.changed.push(key.clone());
            }
        }
    }

    /// The counters of a known key that has what is to be taken away, integrated and marked as changed.
    fn change(
        &mut self,
        now: Duration,
        key: &Key,
        has: impl Fn(&Totals) -> bool,
    ) -> Option<&mut Counters> {
        let Some(counters) = self.keys.get_mut(key).filter(|known| has(&known.now)) else {
            self.n_unmatched = self.n_unmatched.saturating_add(1);
            return None;
        };
        counters.integrate(now);
        if !mem::replace(&mut counters.is_changed, true) {
            self.changed.push(key.clone());
        }
        Some(counters)
    }

    /// The same of any key.
    fn change_or_insert(&mut self, now: Duration, key: &Key) -> Option<&mut Counters> {
        self.keys.insert_with(key, Counters::default);
        self.change(now, key, |_| true)
    }
}

impl Totals {
    /// Whether there are none.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl Counters {
    /// Adds the time since the last change. It is the times that are cut to microseconds, not the
    /// differences: at thousands of changes a second, that would be seen. A clock that steps back adds
    /// nothing.
    fn integrate(&mut self, now: Duration) {
        // Two of these are made for each request, and wasm has no product of more than 64 bits, by which
        // an overflow could be told: that takes 584,000 years of requests between two changes.
        let now_us = now.as_secs().wrapping_mul(1_000_000);
        let now_us = now_us.wrapping_add(now.subsec_micros().into());
        let elapsed_us = now_us.saturating_sub(self.integrated_us);
        let n = u64::from(self.now.held).saturating_add(u64::from(self.now.running));
        self.integral_us = self.integral_us.saturating_add(elapsed_us.wrapping_mul(n));
        self.integrated_us = now_us;
    }

    fn is_forgettable(&self) -> bool {
        self.is_gone && !self.is_changed && !self.is_under_way && self.now.is_zero()
    }

    fn report(&self, key: Key) -> KeyReport {
        KeyReport {
            key,
            held: self.now.held,
            running: self.now.running,
            started: self.started,
            ended: self.ended,
            shed: self.shed,
            integral_ms: self.integral_us / 1_000,
        }
    }
}
