//! Log lines that a stranger can cause: one a minute of each kind. The next one says how many were left out.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Often enough to be seen, too seldom to fill a disk.
const INTERVAL: Duration = Duration::from_mins(1);

/// When a line of each kind was written last. Kinds are constants, so that nobody can make up new ones.
#[derive(Debug, Default)]
pub struct Sparing {
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug)]
struct Kind {
    written: Instant,
    n_left_out: u64,
}

impl Sparing {
    /// Whether a line of this kind is due: then the number of those that were left out since the last.
    pub fn due(&self, kind: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut kinds = self.kinds.lock();
        let Some(known) = kinds.get_mut(kind) else {
            let (written, n_left_out) = (now, 0);
            kinds.insert(
                kind,
                Kind {
                    written,
                    n_left_out,
                },
            );
            return Some(0);
        };
        if now.duration_since(known.written) < INTERVAL {
            known.n_left_out = known.n_left_out.saturating_add(1);
            return None;
        }
        known.written = now;
        Some(std::mem::take(&mut known.n_left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_a_minute_of_each_kind_and_the_rest_is_counted() {
        let sparing = Sparing::default();
        assert_eq!(sparing.due("full"), Some(0));
        for _ in 0..3 {
            assert_eq!(sparing.due("full"), None);
        }
        assert_eq!(sparing.due("garbage"), Some(0), "another kind");
        tokio::time::advance(INTERVAL).await;
        assert_eq!(sparing.due("full"), Some(3));
        assert_eq!(sparing.due("full"), None);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(sparing.due("full"), Some(1));
    }
}
