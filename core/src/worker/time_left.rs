//! What is left of a request's deadline when it goes on to its backend.

use std::time::Duration;

use super::Decision;
use crate::Policy;

/// What is left of a request's deadline, for Envoy's router to hold its backend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLeft {
    millis: u64,
}

impl TimeLeft {
    /// What is left to a request that was held for so long; none where its route has no deadline.
    pub(super) fn after(held: Duration, policy: &Policy) -> Option<Self> {
        policy
            .request_timeout
            .map(|timeout| Self::of(timeout, held))
    }

    /// Apart from the question whether there is a deadline, which each request asks.
    #[cold]
    #[inline(never)]
    fn of(timeout: Duration, held: Duration) -> Self {
        let left = timeout.saturating_sub(held).as_millis();
        // Not 0, which to Envoy is no time-out at all.
        let millis = u64::try_from(left).unwrap_or(u64::MAX).max(1);
        Self { millis }
    }

    /// What is left to a request that was not held.
    pub(super) fn whole(policy: &Policy) -> Option<Self> {
        Self::after(Duration::ZERO, policy)
    }

    /// Milliseconds, at least 1.
    pub fn as_millis(self) -> u64 {
        self.millis
    }
}

impl Decision {
    /// What is to be done with a request that passes with so much of its deadline.
    pub(super) fn pass(left: Option<TimeLeft>) -> Self {
        left.map_or(Self::Pass, Self::PassWithin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_is_taken_off_and_a_millisecond_stays() {
        let ms = Duration::from_millis;
        let left = |timeout: Option<Duration>, held| {
            let policy = Policy {
                request_timeout: timeout,
                ..Policy::default()
            };
            TimeLeft::after(held, &policy).map(TimeLeft::as_millis)
        };
        assert_eq!(left(None, ms(5)), None);
        assert_eq!(left(Some(ms(3_000)), ms(0)), Some(3_000));
        assert_eq!(left(Some(ms(3_000)), ms(2_999)), Some(1));
        assert_eq!(
            left(Some(ms(3_000)), Duration::from_micros(700)),
            Some(2_999)
        );
        for (timeout, held) in [(3_000, 3_000), (3_000, 9_000), (0, 0), (0, 1)] {
            assert_eq!(left(Some(ms(timeout)), ms(held)), Some(1));
        }
        assert_eq!(left(Some(Duration::MAX), ms(0)), Some(u64::MAX));
    }
}
