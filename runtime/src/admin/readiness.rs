//! Whether a daemon is ready: what opens once, and what can be lost again.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

/// Whether the daemon is ready: it is when every latch is released and every condition holds. A clone is a handle to
/// the same.
#[derive(Clone, Debug)]
pub struct Readiness {
    shared: Arc<Shared>,
}

/// One step to being ready. Dropped without [`release`](Self::release), it stays closed.
#[must_use = "a latch that is dropped keeps the daemon unready for ever"]
#[derive(Debug)]
pub struct Latch {
    name: &'static str,
    readiness: Readiness,
}

/// Something that has to hold for the daemon to be ready, and may fail and hold again at any time.
#[derive(Debug)]
pub struct Condition {
    name: &'static str,
    readiness: Readiness,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    is_ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    closed: Vec<&'static str>,
    failing: BTreeMap<&'static str, Failing>,
}

#[derive(Debug)]
struct Failing {
    what: String,
    since: Instant,
}

impl Default for Readiness {
    /// Nothing is missing.
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                is_ready: watch::Sender::new(true),
            }),
        }
    }
}

impl Readiness {
    /// Adds a step under a name that tells an operator what is waited for.
    pub fn latch(&self, name: &'static str) -> Latch {
        // A daemon that begins is not ready yet: nothing to say.
        let _: Option<bool> = self.change(|state| state.closed.push(name));
        Latch {
            name,
            readiness: self.clone(),
        }
    }

    /// Adds a condition, which holds until it is said to fail.
    pub fn condition(&self, name: &'static str) -> Condition {
        Condition {
            name,
            readiness: self.clone(),
        }
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.shared.state.lock().is_ready()
    }

    /// Changes with [`is_ready`](Self::is_ready).
    pub fn changed(&self) -> watch::Receiver<bool> {
        self.shared.is_ready.subscribe()
    }

    /// What is missing, and since when, for an operator; nothing when the daemon is ready.
    pub fn missing(&self) -> Option<String> {
        self.shared.state.lock().missing(Instant::now())
    }

    /// Whether it is ready now, where that is news.
    fn change(&self, change: impl FnOnce(&mut State)) -> Option<bool> {
        let mut state = self.shared.state.lock();
        change(&mut state);
        let is_ready = state.is_ready();
        // Told with the lock, so that the last word is about the last state.
        let is_new = (self.shared.is_ready)
            .send_if_modified(|was_ready| std::mem::replace(was_ready, is_ready) != is_ready);
        is_new.then_some(is_ready)
    }

    fn log(&self, news: Option<bool>) {
        match news {
            None => {}
            Some(true) => tracing::info!("ready"),
            Some(false) => tracing::warn!(missing = self.missing(), "not ready any more"),
        }
    }
}

impl Latch {
    /// Says that the step is done, for good.
    pub fn release(self) {
        let news = self.readiness.change(|state| {
            if let Some(at) = state.closed.iter().position(|name| *name == self.name) {
                state.closed.remove(at);
            }
        });
        self.readiness.log(news);
    }
}

impl Condition {
    /// It does not hold, since `since`; `what` tells an operator more than the name does.
    pub fn fails(&self, what: String, since: Instant) {
        let news = self.readiness.change(|state| {
            state.failing.insert(self.name, Failing { what, since });
        });
        self.readiness.log(news);
    }

    /// It holds.
    pub fn holds(&self) {
        let news = self.readiness.change(|state| {
            state.failing.remove(self.name);
        });
        self.readiness.log(news);
    }
}

impl State {
    fn is_ready(&self) -> bool {
        self.closed.is_empty() && self.failing.is_empty()
    }

    fn missing(&self, now: Instant) -> Option<String> {
        let waiting =
            (!self.closed.is_empty()).then(|| format!("waiting for: {}", self.closed.join(", ")));
        let failing = self.failing.iter().map(|(name, Failing { what, since })| {
            let secs = now.saturating_duration_since(*since).as_secs();
            format!("{name}, since {secs} s: {what}")
        });
        let all: Vec<String> = waiting.into_iter().chain(failing).collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_dropped_latch_stays_closed() {
        let readiness = Readiness::default();
        drop(readiness.latch("first load"));
        assert!(!readiness.is_ready());
        assert_eq!(readiness.missing().unwrap(), "waiting for: first load");
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_can_fail_and_hold_again_as_often_as_it_likes() {
        let readiness = Readiness::default();
        let mut changed = readiness.changed();
        let watch = readiness.condition("watches are lost");
        assert!(readiness.is_ready() && *changed.borrow_and_update());
        for _ in 0..2 {
            let since = Instant::now();
            tokio::time::advance(Duration::from_secs(17)).await;
            watch.fails("Service, Ingress".to_owned(), since);
            let missing = readiness.missing().unwrap();
            assert_eq!(missing, "watches are lost, since 17 s: Service, Ingress");
            assert!(!*changed.borrow_and_update());
            watch.fails("Service".to_owned(), since);
            assert!(!changed.has_changed().unwrap(), "no news");
            watch.holds();
            assert_eq!(readiness.missing(), None);
            assert!(*changed.borrow_and_update());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_is_missing_is_told() {
        let readiness = Readiness::default();
        let (load, lease) = (
            readiness.latch("first load"),
            readiness.condition("draining"),
        );
        lease.fails("told to end".to_owned(), Instant::now());
        let missing = readiness.missing().unwrap();
        assert_eq!(
            missing,
            "waiting for: first load\ndraining, since 0 s: told to end"
        );
        load.release();
        assert!(!readiness.is_ready());
        lease.holds();
        assert!(readiness.is_ready());
    }
}
