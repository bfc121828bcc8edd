//! How many Events a second: a burst, then a steady trickle.

use std::time::Duration;

use tokio::time::Instant;

/// Events at once.
const BURST: u32 = 25;

/// The time between two Events in the long run: 5 a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// What may be posted now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// When all of the burst is there again.
    full_at: Option<Instant>,
}

impl Budget {
    /// When the next Event may go: `now`, or later.
    pub(super) fn free_at(self, now: Instant) -> Instant {
        let slack = INTERVAL * (BURST - 1);
        let free_at = self.full_at.and_then(|at| at.checked_sub(slack));
        free_at.map_or(now, |at| at.max(now))
    }

    /// One goes.
    pub(super) fn spend(&mut self, now: Instant) {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(full_at + INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_five_a_second() {
        let (begin, mut budget) = (Instant::now(), Budget::default());
        let mut now = begin;
        let mut gone = Vec::new();
        for _ in 0..30 {
            now = budget.free_at(now);
            budget.spend(now);
            gone.push((now - begin).as_millis());
        }
        assert!(gone.iter().take(25).all(|&at| at == 0), "{gone:?}");
        assert_eq!(gone[25..], [200, 400, 600, 800, 1_000]);
    }

    #[test]
    fn a_pause_brings_the_burst_back() {
        let (begin, mut budget) = (Instant::now(), Budget::default());
        for _ in 0..25 {
            budget.spend(begin);
        }
        assert!(budget.free_at(begin) > begin);
        let later = begin + Duration::from_secs(5);
        for _ in 0..25 {
            assert_eq!(budget.free_at(later), later);
            budget.spend(later);
        }
    }
}
