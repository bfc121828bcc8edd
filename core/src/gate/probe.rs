//! When the next probe may go out.

use std::time::Duration;

use super::ProbeOutcome;

/// A probe of which nothing was heard for so long is given up as one without proof. Longer than the
/// time-out that the edge gives the call, so that it only matters when an answer got lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// After an answer that proves nothing: such probes reach the backend and count for outlier detection
/// (three refusals may eject a host), so they are rare.
pub(super) const AFTER_NO_PROOF: Pause = Pause::between(250, 2_000);

/// After "no host" when the control plane says ready: Envoy's endpoints come a moment after ours, and
/// asking costs nothing. So it is asked often: what the pauses add is about an eighth of the wait.
pub(super) const ENDPOINTS_COMING: Pause = Pause {
    share: 8,
    ..Pause::between(1, 100)
};

/// After "no host" while the control plane is gone: when a host comes cannot be guessed.
pub(super) const CONTROL_PLANE_GONE: Pause = Pause::between(100, 250);

/// After "no host" in learned zero: the control plane says ready and Envoy says otherwise, which lasts
/// as long as outlier detection or a health check wants.
pub(super) const LEARNED_ZERO: Pause = Pause::between(100, 100);

/// The bounds of a pause that grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    min: Duration,
    max: Duration,
    /// Each pause is longer than `min` by one part in so many of all pauses before: 1 doubles.
    share: u32,
}

/// The sum of the pauses that were made.
#[derive(Debug, Default)]
pub(super) struct Backoff(Duration);

/// At most one probe under way, and when the next may follow.
#[derive(Debug, Default)]
pub(super) struct Prober {
    since: Option<Duration>,
    next_at: Duration,
    after_no_host: Backoff,
    after_no_proof: Backoff,
}

impl Pause {
    const fn between(min_ms: u64, max_ms: u64) -> Self {
        Self {
            min: Duration::from_millis(min_ms),
            max: Duration::from_millis(max_ms),
            share: 1,
        }
    }
}

impl Backoff {
    /// A longer pause than the last, within bounds.
    pub(super) fn next(&mut self, bounds: Pause) -> Duration {
        let grown = bounds.min.saturating_add(self.0 / bounds.share.max(1));
        // Whole milliseconds: no tick is finer.
        let whole = u64::try_from(grown.as_millis()).map_or(bounds.max, Duration::from_millis);
        let pause = whole.min(bounds.max);
        self.0 = self.0.saturating_add(pause);
        pause
    }

    pub(super) fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }
}

impl Prober {
    /// Starts over: the next probe may go out at `at`. One that is under way goes on.
    pub(super) fn restart(&mut self, at: Duration) {
        self.next_at = at;
        self.after_no_host.reset();
        self.after_no_proof.reset();
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.since.is_some()
    }

    /// When the next may go out, leaving aside one that is under way.
    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.since.is_none() && now >= self.next_at
    }

    /// When there is something to do: a probe to send, or to give up.
    pub(super) fn acts_at(&self) -> Duration {
        self.since
            .map_or(self.next_at, |since| since.saturating_add(LOST_AFTER))
    }

    pub(super) fn start(&mut self, now: Duration) {
        self.since = Some(now);
    }

    /// Gives up a probe that is overdue, and says whether there was one.
    pub(super) fn give_up(&mut self, now: Duration) -> bool {
        let is_lost = self
            .since
            .is_some_and(|since| now >= since.saturating_add(LOST_AFTER));
        if is_lost {
            self.on_outcome(now, ProbeOutcome::NoProof, ENDPOINTS_COMING);
        }
        is_lost
    }

    /// Takes what came of the probe, and says whether one was under way: of a probe that was given up
    /// nothing but a proof is news.
    pub(super) fn on_outcome(
        &mut self,
        now: Duration,
        outcome: ProbeOutcome,
        after_no_host: Pause,
    ) -> bool {
        if self.since.take().is_none() {
            return false;
        }
        let pause = match outcome {
            ProbeOutcome::Proof => Duration::ZERO,
            ProbeOutcome::NoHost => self.after_no_host.next(after_no_host),
            ProbeOutcome::NoProof => self.after_no_proof.next(AFTER_NO_PROOF),
        };
        self.next_at = now.saturating_add(pause);
        true
    }
}
