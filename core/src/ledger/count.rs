//! The numbers of one key in one worker, now and over the last minutes of the worker's time line.

use std::collections::VecDeque;

use super::{MEAN_WINDOW, Sample, life::Interval, millis};
use crate::KeyReport;

/// History is kept by the second: nobody asks for less, and a worker reports each second.
const BUCKET_MS: u64 = 1_000;

/// The numbers of one key in one worker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    pub(super) held: u32,
    pub(super) running: u32,
    /// What the worker said last, to take the difference to.
    pub(super) raw_started: u64,
    pub(super) raw_integral: u64,
    pub(super) last: Sample,
    /// Oldest first, at most one for each second and one more.
    pub(super) past: VecDeque<Sample>,
}

/// Where the first numbers of a key start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// From zero at this point of the time line.
    From(u64),
    /// Nobody knows: what is under way now was under way for the whole of the mean's window, and nothing
    /// that ended counts.
    Unknown,
}

impl Count {
    /// The first numbers of a key.
    pub(super) fn first(at: u64, start: Start, report: &KeyReport) -> Self {
        let in_flight = u64::from(report.held) + u64::from(report.running);
        let (since, started, integral) = match start {
            Start::From(since) => (since, report.started, report.integral_ms),
            Start::Unknown => {
                let window = millis(MEAN_WINDOW);
                let integral = in_flight.saturating_mul(window);
                (
                    at.saturating_sub(window),
                    in_flight.min(report.started),
                    integral,
                )
            }
        };
        // A report that came in the instant of its start has no earlier point: the numbers came after it.
        let since = since.min(at.saturating_sub(1));
        Self {
            held: report.held,
            running: report.running,
            raw_started: report.started,
            raw_integral: report.integral_ms,
            last: Sample {
                at,
                started,
                integral,
            },
            past: [Sample {
                at: since,
                started: 0,
                integral: 0,
            }]
            .into(),
        }
    }

    /// Later numbers.
    pub(super) fn on(&mut self, span: &Interval, report: &KeyReport, horizon: u64) {
        // The worker names what changed: up to the report before this one it was as it had been. Without
        // this point, what happened in the last second would be spread over all the time before.
        let unchanged = self.total_at(span.previous);
        let in_flight = u64::from(report.held) + u64::from(report.running);
        let integral = if span.stepped {
            let passed = span.at.saturating_sub(span.previous.max(self.last.at));
            unchanged.saturating_add(in_flight.saturating_mul(passed))
        } else {
            let more = difference(report.integral_ms, self.raw_integral);
            self.last.integral.saturating_add(more)
        };
        let started = difference(report.started, self.raw_started);
        let started = self.last.started.saturating_add(started);
        if span.previous > self.last.at {
            let until = Sample {
                at: span.previous,
                integral: unchanged.min(integral),
                ..self.last
            };
            self.push(until);
        }
        self.push(Sample {
            at: span.at,
            started,
            integral,
        });
        self.held = report.held;
        self.running = report.running;
        self.raw_started = report.started;
        self.raw_integral = report.integral_ms;
        self.trim(span.at.saturating_sub(horizon));
    }

    /// Nothing is under way any more since `at`, and the totals start from zero again. What was, was.
    pub(super) fn rewind(&mut self, at: u64) {
        if at > self.last.at {
            let integral = self.total_at(at);
            self.push(Sample {
                at,
                integral,
                ..self.last
            });
        }
        self.held = 0;
        self.running = 0;
        self.raw_started = 0;
        self.raw_integral = 0;
    }

    /// Frees the history when all of it is older than `horizon`. Says whether nothing is left to know.
    pub(super) fn sweep(&mut self, now: u64, horizon: u64) -> bool {
        let is_idle = self.held == 0 && self.running == 0;
        let is_old = self.last.at <= now.saturating_sub(horizon);
        if is_idle && is_old {
            self.past = VecDeque::new();
        }
        is_idle && is_old && self.raw_started == 0 && self.raw_integral == 0
    }

    /// Requests that started within the last `window`, or up to a second before it.
    pub(super) fn started_within(&self, now: u64, window: u64) -> u64 {
        let from = now.saturating_sub(window);
        let before = if self.last.at <= from {
            &self.last
        } else {
            self.before(from)
        };
        self.last.started.saturating_sub(before.started)
    }

    /// Request-milliseconds within the last `window`. Of a worker that is silent nothing is under way.
    pub(super) fn integral_within(&self, now: u64, window: u64, is_live: bool) -> u64 {
        let until = if is_live { now } else { now.min(self.last.at) };
        let from = now.saturating_sub(window).min(until);
        self.total_at(until).saturating_sub(self.total_at(from))
    }

    /// The integral at a point of the time line: straight lines between samples, and on from the last.
    fn total_at(&self, at: u64) -> u64 {
        if at >= self.last.at {
            let in_flight = u64::from(self.held) + u64::from(self.running);
            return self
                .last
                .integral
                .saturating_add(in_flight.saturating_mul(at - self.last.at));
        }
        let n_before = self.past.partition_point(|sample| sample.at <= at);
        let after = self.past.get(n_before).unwrap_or(&self.last);
        let before = self.before(at);
        let passed = at.saturating_sub(before.at);
        let width = after.at.saturating_sub(before.at).max(1);
        let more = u128::from(after.integral.saturating_sub(before.integral)) * u128::from(passed);
        let more = u64::try_from(more / u128::from(width)).unwrap_or(u64::MAX);
        before.integral.saturating_add(more)
    }

    /// The last sample at or before a point; the first of all when none is.
    fn before(&self, at: u64) -> &Sample {
        let n_before = self.past.partition_point(|sample| sample.at <= at);
        self.past
            .get(n_before.saturating_sub(1))
            .unwrap_or(&self.last)
    }

    fn push(&mut self, sample: Sample) {
        if self.last.at / BUCKET_MS != sample.at / BUCKET_MS || self.past.is_empty() {
            self.past.push_back(self.last);
        }
        self.last = sample;
    }

    fn trim(&mut self, from: u64) {
        // One sample before the horizon stays, to take differences to.
        while self.past.get(1).is_some_and(|second| second.at <= from) {
            self.past.pop_front();
        }
    }
}

/// What was added to a total; a total that is less than before began again at zero.
fn difference(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}
