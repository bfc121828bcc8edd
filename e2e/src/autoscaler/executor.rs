//! KEDA's decisions between zero and one (`scale_scaledobjects.go`).

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::journal::{Event, Pen};

/// Decides `spec.replicas` of one Deployment.
#[derive(Debug)]
pub(super) struct Executor {
    cooldown: Duration,
    /// `None`: nothing was ever active, as in a fresh ScaledObject. Ours have
    /// `initialCooldownPeriod` = cooldown, so the time of creation counts then.
    last_active: Mutex<Option<Instant>>,
    created: Instant,
    replicas: watch::Sender<u32>,
    journal: Pen,
}

impl Executor {
    pub(super) fn new(cooldown: Duration, journal: Pen) -> Self {
        Self {
            cooldown,
            last_active: Mutex::new(None),
            created: Instant::now(),
            replicas: watch::Sender::new(0),
            journal,
        }
    }

    /// `spec.replicas`, as it changes.
    pub(super) fn replicas(&self) -> watch::Receiver<u32> {
        self.replicas.subscribe()
    }

    pub(super) fn journal(&self) -> &Pen {
        &self.journal
    }

    /// Something said that the trigger is active: a poll, or `true` on the stream.
    pub(super) fn on_active(&self) {
        *self.last_active.lock() = Some(Instant::now());
        self.scale(0, 1);
    }

    /// A poll without error said that it is not.
    pub(super) fn on_inactive(&self) {
        let since = (*self.last_active.lock()).unwrap_or(self.created);
        if since.elapsed() >= self.cooldown {
            self.scale(1, 0);
        }
    }

    fn scale(&self, from: u32, to: u32) {
        self.replicas.send_if_modified(|replicas| {
            let is_due = *replicas == from;
            if is_due {
                *replicas = to;
                self.journal.write(Event::Scaled(from, to));
            }
            is_due
        });
    }
}
