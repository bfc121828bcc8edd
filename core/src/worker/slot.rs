//! A backend in one worker: its gate, and how long it takes to wake.

use std::time::Duration;

use crate::{Answer, Backend, Gate, NoWake, Policy, Reason};

/// Before anything was measured: how long a small container takes to start.
const FIRST_GUESS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) backend: Backend,
    pub(super) gate: Gate,
    /// Whether the worker polls its gate.
    pub(super) is_busy: bool,
    /// Whether it left the table: it is dropped once its gate is idle.
    pub(super) is_gone: bool,
    held_since: Option<Duration>,
    thawing_since: Option<Duration>,
    cold_start: Option<Duration>,
    /// When a request last was news that was told at once, without being held.
    news_at: Option<Duration>,
}

/// News of requests that are not held is told at once no more often than this: the interval of reports.
const NEWS_INTERVAL: Duration = Duration::from_secs(1);

impl Slot {
    pub(super) fn new(backend: Backend) -> Self {
        Self {
            gate: Gate::new(&backend),
            backend,
            is_busy: false,
            is_gone: false,
            held_since: None,
            thawing_since: None,
            cold_start: None,
            news_at: None,
        }
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.backend.ready_endpoints == 0
    }

    /// Whether nothing can wake it.
    pub(super) fn is_paused(&self) -> bool {
        self.backend.paused && self.is_asleep()
    }

    pub(super) fn held(&mut self, now: Duration) {
        self.held_since.get_or_insert(now);
    }

    /// Whether a request that is not held is to be told of at once.
    pub(super) fn is_news(&mut self, now: Duration) -> bool {
        let is_recent = |at: Duration| now.saturating_sub(at) < NEWS_INTERVAL;
        if self.news_at.is_some_and(is_recent) {
            return false;
        }
        self.news_at = Some(now);
        true
    }

    /// A request is let go: how long the cold start took, if this ends one.
    pub(super) fn released(&mut self, now: Duration) -> Option<Duration> {
        self.thawing_since.get_or_insert(now);
        let took = now.saturating_sub(self.held_since.take()?);
        // A quarter each: one slow image pull does not set the estimate for the day.
        let before = self.cold_start.unwrap_or(took);
        self.cold_start = Some((before * 3 + took) / 4);
        Some(took)
    }

    /// Nothing is held any more: how long the thaw took, if there was one.
    pub(super) fn emptied(&mut self, now: Duration) -> Option<Duration> {
        self.held_since = None;
        Some(now.saturating_sub(self.thawing_since.take()?))
    }

    /// The answer to a request that wakes nothing, and so has nothing to come back for.
    pub(super) fn answer_no_wake(&self, rule: &NoWake, policy: &Policy) -> Answer {
        Answer {
            retry_after: None,
            ..self.answer(Reason::NoWake, rule.status, policy)
        }
    }

    pub(super) fn answer(&self, reason: Reason, status: u16, policy: &Policy) -> Answer {
        Answer {
            reason,
            status,
            retry_after: Some(self.cold_start.unwrap_or(FIRST_GUESS)),
            backend: self.backend.id.clone(),
            waiting_page: policy.waiting_page,
            held: None,
        }
    }
}
