//! How long to wait before the next attempt.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);

/// Without trouble for so long, the next is a first one.
const FORGET_AFTER: Duration = Duration::from_mins(1);

/// Doubles from attempt to attempt.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    last: Option<(Instant, Duration)>,
}

impl Backoff {
    /// The wait after a failure at `now`, without jitter.
    pub(crate) fn next(&mut self, now: Instant, limit: Duration) -> Duration {
        let wait = match self.last {
            Some((at, wait)) if now.saturating_duration_since(at) < FORGET_AFTER => {
                (wait * 2).min(limit)
            }
            _ => FIRST,
        };
        self.last = Some((now, wait));
        wait
    }

    /// Something succeeded.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}

/// From half of `wait` to all of it, so that many that failed together do not come back together.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[test]
    fn waits_double_up_to_the_limit_and_begin_again_after_a_success() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let waits: Vec<u128> = (0..7)
            .map(|_| backoff.next(now, LIMIT).as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        backoff.reset();
        assert_eq!(backoff.next(now, LIMIT), FIRST);
    }

    #[test]
    fn trouble_of_long_ago_does_not_count() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        backoff.next(now, LIMIT);
        assert_eq!(backoff.next(now + FORGET_AFTER, LIMIT), FIRST);
    }

    #[test]
    fn jitter_only_shortens() {
        for _ in 0..100 {
            let wait = jittered(LIMIT);
            assert!(LIMIT / 2 <= wait && wait <= LIMIT, "{wait:?}");
        }
    }
}
