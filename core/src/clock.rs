//! A clock that never runs backwards, over one that may.

use std::time::Duration;

/// Turns a wall clock into one that only goes forward.
///
/// Wasm has no monotonic clock: a step backwards would stretch every deadline by its length. After such
/// a step this clock goes on from where it was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    now: Duration,
    behind: Duration,
}

impl Clock {
    /// The time, given what the wall clock says.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wakegate_core::Clock;
    /// let mut clock = Clock::default();
    /// let start = clock.read(Duration::from_secs(100));
    /// assert_eq!(clock.read(Duration::from_secs(40)), start);
    /// assert_eq!(clock.read(Duration::from_secs(41)), start + Duration::from_secs(1));
    /// ```
    pub fn read(&mut self, wall: Duration) -> Duration {
        let now = wall.saturating_add(self.behind);
        if now < self.now {
            self.behind = self.behind.saturating_add(self.now.saturating_sub(now));
        } else {
            self.now = now;
        }
        self.now
    }
}
