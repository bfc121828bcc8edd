//! What waits for one replica that follows.

use std::{collections::HashSet, mem, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Notify;
use wakegate_wire::Bytes;

/// Reports go together that come within so long, because thousands of workers report each second; news that something
/// is held that was not takes all with it at once.
const GATHER: Duration = Duration::from_millis(20);

/// What waits at most. One that reads so slowly is cut off, and begins anew with the whole.
const MAX_BYTES: usize = 16 << 20;

/// What a report takes beside its bytes.
const OVERHEAD: usize = 64;

/// A replica that follows.
#[derive(Debug)]
pub(crate) struct Subscription {
    queue: Mutex<Queue>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    /// Workers whose page is still to come, and brings what they say until then.
    awaited: HashSet<u32>,
    /// Reports, and when each came.
    reports: Vec<(Duration, Bytes)>,
    n_bytes: usize,
    is_urgent: bool,
    is_cut: bool,
}

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Something, after so long.
    After(Duration),
    /// These, each with when it came.
    Now(Vec<(Duration, Bytes)>),
    /// The replica did not read.
    Cut,
}

impl Subscription {
    /// A replica that is to get the pages of these workers.
    pub(crate) fn new(workers: impl Iterator<Item = u32>) -> Self {
        let queue = Queue {
            awaited: workers.collect(),
            ..Queue::default()
        };
        Self {
            queue: Mutex::new(queue),
            news: Notify::new(),
        }
    }

    /// The page of a worker is about to be sent.
    pub(crate) fn has_page(&self, worker: u32) {
        self.queue.lock().awaited.remove(&worker);
    }

    /// A worker said something. Says whether the replica still follows.
    pub(crate) fn push(&self, now: Duration, worker: u32, is_urgent: bool, report: &Bytes) -> bool {
        let mut queue = self.queue.lock();
        if queue.awaited.contains(&worker) {
            return !queue.is_cut;
        }
        queue.n_bytes += report.len() + OVERHEAD;
        if queue.is_cut || queue.n_bytes > MAX_BYTES {
            queue.is_cut = true;
            queue.reports = Vec::new();
        } else {
            queue.reports.push((now, report.clone()));
        }
        let is_news = queue.is_cut || queue.reports.len() == 1 || (is_urgent && !queue.is_urgent);
        queue.is_urgent |= is_urgent;
        let is_cut = queue.is_cut;
        drop(queue);
        if is_news {
            self.news.notify_one();
        }
        !is_cut
    }

    /// What is to be sent now; all that waits, when it `must` not wait longer.
    pub(super) fn due(&self, now: Duration, must: bool) -> Due {
        let mut queue = self.queue.lock();
        if queue.is_cut {
            return Due::Cut;
        }
        let Some((first, _)) = queue.reports.first() else {
            return Due::Nothing;
        };
        let waited = now.saturating_sub(*first);
        if !(must || queue.is_urgent || waited >= GATHER) {
            return Due::After(GATHER.saturating_sub(waited));
        }
        queue.n_bytes = 0;
        queue.is_urgent = false;
        Due::Now(mem::take(&mut queue.reports))
    }

    /// Waits for something new.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn bytes(n: usize) -> Bytes {
        vec![0; n].into()
    }

    #[test]
    fn reports_gather_for_a_moment_and_what_is_urgent_takes_them_along() {
        let follower = Subscription::new([].into_iter());
        assert_eq!(follower.due(ms(0), true), Due::Nothing);
        assert!(follower.push(ms(0), 1, false, &bytes(1)));
        assert!(follower.push(ms(5), 2, false, &bytes(2)));
        assert_eq!(follower.due(ms(5), false), Due::After(ms(15)));
        let both = Due::Now(vec![(ms(0), bytes(1)), (ms(5), bytes(2))]);
        assert_eq!(follower.due(ms(20), false), both);
        follower.push(ms(21), 1, false, &bytes(1));
        follower.push(ms(22), 1, true, &bytes(2));
        assert!(matches!(follower.due(ms(22), false), Due::Now(_)));
        assert_eq!(follower.due(ms(99), true), Due::Nothing);
    }

    #[test]
    fn what_a_worker_says_before_its_page_is_on_the_page() {
        let follower = Subscription::new([1, 2].into_iter());
        follower.push(ms(0), 1, true, &bytes(1));
        follower.push(ms(0), 3, true, &bytes(3));
        assert_eq!(
            follower.due(ms(0), false),
            Due::Now(vec![(ms(0), bytes(3))])
        );
        follower.has_page(1);
        follower.push(ms(1), 1, true, &bytes(1));
        assert_eq!(
            follower.due(ms(1), false),
            Due::Now(vec![(ms(1), bytes(1))])
        );
    }

    #[test]
    fn one_that_does_not_read_is_cut_off_and_keeps_nothing() {
        let follower = Subscription::new([].into_iter());
        let report = bytes(1 << 20);
        let n_pushed = (0..100).take_while(|_| follower.push(ms(0), 1, false, &report));
        assert_eq!(n_pushed.count(), 15);
        assert_eq!(follower.due(ms(0), true), Due::Cut);
        assert!(!follower.push(ms(0), 1, false, &report));
        assert!(follower.queue.lock().reports.is_empty());
    }
}
