//! What one Envoy subscribes to, and what of it is to be sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::{self, Instant};
use tonic::Status;

use super::assignment::{Assignment, assignment, service_of};
use crate::{index::ServiceId, snapshot::Snapshot};

/// Names that one stream may subscribe to, and the bytes of each.
const MAX_NAMES: usize = 100_000;
const MAX_NAME: usize = 1_024;

/// The last endpoint of a Service leaves Envoy so much later than the filters hear of it. The other way
/// round, requests that come in between find a filter that lets them pass and an Envoy without a host: they
/// are lost. A filter applies what it hears within milliseconds.
const LAST_ENDPOINT_STAYS: Duration = Duration::from_millis(100);

/// Names, what was sent of each, and which are due.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// With the version that was sent last; none was not sent.
    sent: BTreeMap<String, Option<u64>>,
    by_service: BTreeMap<ServiceId, BTreeSet<String>>,
    due: BTreeSet<String>,
    /// Names that lost their last endpoint, and when Envoy hears of it.
    emptied: BTreeMap<String, Instant>,
    /// Names that Envoy has with an endpoint.
    filled: BTreeSet<String>,
    /// The snapshot that all but the due names stand at.
    sequence: Option<u64>,
}

impl Names {
    /// Adds a name, with the version that Envoy has of it. One that is there already is sent again: that
    /// is what asking twice means.
    pub(super) fn subscribe(&mut self, name: String, has: Option<u64>) -> Result<(), Status> {
        if name.len() > MAX_NAME || self.sent.len() >= MAX_NAMES {
            let reason = format!("at most {MAX_NAMES} names of {MAX_NAME} bytes can be asked for");
            return Err(Status::resource_exhausted(reason));
        }
        if let Some((service, _)) = service_of(&name) {
            self.by_service
                .entry(service)
                .or_default()
                .insert(name.clone());
        }
        self.due.insert(name.clone());
        self.sent.insert(name, has);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, name: &str) {
        self.sent.remove(name);
        self.due.remove(name);
        self.emptied.remove(name);
        self.filled.remove(name);
        let Some((service, _)) = service_of(name) else {
            return;
        };
        if let Some(names) = self.by_service.get_mut(&service) {
            names.remove(name);
            if names.is_empty() {
                self.by_service.remove(&service);
            }
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.sent.contains_key(name)
    }

    /// Leaves only names that `wanted` has.
    pub(super) fn retain(&mut self, wanted: &BTreeSet<&str>) {
        let is_unwanted = |name: &&String| !wanted.contains(name.as_str());
        let gone: Vec<String> = self.sent.keys().filter(is_unwanted).cloned().collect();
        for name in gone {
            self.unsubscribe(&name);
        }
    }

    /// When something is to be sent although nothing changes.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.emptied.values().min().copied()
    }

    /// What is to be sent at `snapshot`, each name with its assignment.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        snapshot: &Snapshot,
    ) -> Vec<(String, Assignment)> {
        self.mark_changed(snapshot);
        let over = self.emptied.iter().filter(|(_, at)| **at <= now);
        self.due.extend(over.map(|(name, _)| name.clone()));
        let mut assignments = Vec::new();
        for name in std::mem::take(&mut self.due) {
            let assignment = assignment(&name, snapshot);
            if self.is_to_wait(now, &name, assignment.is_empty) {
                continue;
            }
            let sent = self.sent.entry(name.clone()).or_default();
            if *sent != Some(assignment.version) {
                *sent = Some(assignment.version);
                assignments.push((name, assignment));
            }
        }
        assignments
    }

    /// Whether it is too early to say that a Service has lost its last endpoint.
    fn is_to_wait(&mut self, now: Instant, name: &str, is_empty: bool) -> bool {
        if is_empty && self.filled.contains(name) {
            let at = self.emptied.entry(name.to_owned());
            if *at.or_insert(now + LAST_ENDPOINT_STAYS) > now {
                return true;
            }
        }
        self.emptied.remove(name);
        if is_empty {
            self.filled.remove(name);
        } else {
            self.filled.insert(name.to_owned());
        }
        false
    }

    fn mark_changed(&mut self, snapshot: &Snapshot) {
        let is_new = self.sequence != Some(snapshot.sequence);
        let sequence = self.sequence.replace(snapshot.sequence);
        if !is_new || self.sent.is_empty() {
            return;
        }
        match sequence.and_then(|sequence| snapshot.changed_since(sequence)) {
            Some(changed) => {
                let names = changed
                    .services
                    .iter()
                    .filter_map(|id| self.by_service.get(id));
                self.due.extend(names.flatten().cloned());
            }
            None => self.due.extend(self.sent.keys().cloned()),
        }
    }
}

/// Waits until then; without a then, for ever.
pub(super) async fn at(then: Option<Instant>) {
    match then {
        Some(then) => time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}
