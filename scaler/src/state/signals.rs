//! How the streams of one workload are woken.

use std::time::Duration;

use tokio::sync::watch;

/// News of a busy workload that is no edge waits for so long since the last: thousands of reports a
/// second may name it, and a stream only looks for edges.
const QUIET: Duration = Duration::from_secs(1);

/// How a workload's streams are woken.
#[derive(Debug)]
pub(super) struct Signals {
    /// When the report came that is the news.
    demand: watch::Sender<Duration>,
    targets: watch::Sender<()>,
    told_at: Option<Duration>,
    /// There is news that was not told yet.
    waits: bool,
}

/// What a stream waits for.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) id: String,
    pub(crate) demand: watch::Receiver<Duration>,
    pub(crate) targets: watch::Receiver<()>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            demand: watch::Sender::new(Duration::ZERO),
            targets: watch::Sender::new(()),
            told_at: None,
            waits: false,
        }
    }
}

impl Signals {
    /// Listens; `id` is the workload's.
    pub(super) fn listen(&self, id: &str) -> News {
        News {
            id: id.to_owned(),
            demand: self.demand.subscribe(),
            targets: self.targets.subscribe(),
        }
    }

    /// Tells that there is news of the demand; what is not urgent may have to wait.
    pub(super) fn tell(&mut self, now: Duration, is_urgent: bool) {
        let is_quiet = |told: Duration| now.saturating_sub(told) >= QUIET;
        let is_due = is_urgent || self.told_at.is_none_or(is_quiet);
        self.waits = !is_due;
        if is_due {
            self.told_at = Some(now);
            self.demand.send_replace(now);
        }
    }

    /// Tells what had to wait.
    pub(super) fn tell_what_waits(&mut self, now: Duration) {
        if self.waits {
            self.tell(now, true);
        }
    }

    /// Tells that the workload is another one than before.
    pub(super) fn tell_targets(&self) {
        self.targets.send_replace(());
    }

    /// Whether nobody listens any more.
    pub(super) fn is_idle(&self) -> bool {
        self.demand.receiver_count() == 0 && self.targets.receiver_count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_edge_waits_a_second_and_an_edge_does_not() {
        let mut signals = Signals::default();
        let News { mut demand, .. } = signals.listen("web");
        let mut tells = |at, is_urgent| {
            signals.tell(Duration::from_millis(at), is_urgent);
            let is_told = demand.has_changed().unwrap();
            demand.mark_unchanged();
            is_told
        };
        assert!(tells(10, false), "nothing was told before");
        assert!(!tells(1_009, false));
        assert!(tells(1_010, false));
        assert!(tells(1_011, true));
        assert!(!tells(2_010, false));
        signals.tell_what_waits(Duration::from_millis(2_010));
        assert!(demand.has_changed().unwrap());
        demand.mark_unchanged();
        signals.tell_what_waits(Duration::from_millis(2_011));
        assert!(!demand.has_changed().unwrap(), "nothing waits");
    }

    #[test]
    fn signals_are_idle_when_the_last_listener_left() {
        let signals = Signals::default();
        let news = signals.listen("web");
        assert!(!signals.is_idle());
        drop(news);
        assert!(signals.is_idle());
    }
}
