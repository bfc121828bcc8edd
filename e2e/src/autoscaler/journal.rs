//! What the autoscaler saw and did, with the time of each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use parking_lot::Mutex;

use crate::eventually::until;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `GetMetricSpec` answered: KEDA would make the HPA now.
    Known,
    /// `StreamIsActive` was opened.
    StreamOpened,
    /// The stream said so. `false` changes nothing.
    Told(bool),
    /// The stream ended, with OK or not.
    StreamEnded(bool),
    /// A poll's answer: active or not, and the sum of the metrics.
    Polled(bool, f64),
    /// A poll failed: nothing is scaled to zero.
    PollFailed(String),
    /// `spec.replicas` was changed.
    Scaled(u32, u32),
    /// A pod runs and answers.
    AppStarted(SocketAddr),
    /// The EndpointSlice names the pod.
    EndpointReady(SocketAddr),
    /// A pod has ended.
    AppStopped,
    /// A pod could not be started or stopped.
    Failed(String),
}

/// An event, when, and of which object.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// The name of the ScaledObject.
    pub object: String,
    /// What.
    pub event: Event,
}

/// All entries in the order of time.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// The journal as one object writes it.
#[derive(Debug, Clone)]
pub(super) struct Pen {
    journal: Journal,
    object: String,
}

impl Journal {
    pub(super) fn of(&self, object: &str) -> Pen {
        Pen {
            journal: self.clone(),
            object: object.to_owned(),
        }
    }

    /// A copy of all entries.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().clone()
    }

    /// How many entries there are: a mark to look from.
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first entry of `object` from `mark` on for which `is_it` holds.
    pub fn find(&self, mark: usize, object: &str, is_it: impl Fn(&Event) -> bool) -> Option<Entry> {
        let entries = self.entries.lock();
        let later = entries.iter().skip(mark);
        later
            .filter(|entry| entry.object == object)
            .find(|entry| is_it(&entry.event))
            .cloned()
    }

    /// How many entries of `object` from `mark` on `is_it` holds for.
    pub fn count(&self, mark: usize, object: &str, is_it: impl Fn(&Event) -> bool) -> usize {
        let entries = self.entries.lock();
        let later = entries
            .iter()
            .skip(mark)
            .filter(|entry| entry.object == object);
        later.filter(|entry| is_it(&entry.event)).count()
    }

    /// Waits for such an entry.
    pub async fn wait(
        &self,
        deadline: Duration,
        mark: usize,
        object: &str,
        is_it: impl Fn(&Event) -> bool,
    ) -> Result<Entry> {
        let found = until(deadline, "an event of the autoscaler", || {
            self.find(mark, object, &is_it)
        });
        found.await.map_err(|error| error.context(self.text(mark)))
    }

    /// All entries from `mark` on, one per line.
    pub fn text(&self, mark: usize) -> String {
        let entries = self.entries.lock();
        let later = entries.iter().skip(mark);
        let lines = later.map(|entry| format!("{}: {:?}", entry.object, entry.event));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Pen {
    pub(super) fn write(&self, event: Event) {
        tracing::debug!(object = self.object, ?event, "autoscaler");
        let entry = Entry {
            at: Instant::now(),
            object: self.object.clone(),
            event,
        };
        self.journal.entries.lock().push(entry);
    }
}
