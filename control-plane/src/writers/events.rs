//! An Event on every object that something is wrong with: once while it stands, and not too many a second.

mod budget;
mod draft;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, PostParams},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use self::{budget::Budget, draft::Draft};
use super::{
    Writers, changed,
    metrics::{WriteOutcome, WriterMetrics, Written},
    notices::Notices,
    write::{Unwritten, write},
};
use crate::{
    leader::Leadership,
    object::{Finding, ObjectId},
    snapshot::Snapshot,
};

/// The API server forgets an Event after an hour by default; what still stands then is said again.
const REPEAT: Duration = Duration::from_mins(61);

/// When an Event that could not be posted is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The writer of Events, for one term as leader.
pub(super) struct Events {
    client: Client,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    leadership: Leadership,
    metrics: WriterMetrics,
    notices: Notices,
    identity: String,
    findings: Arc<BTreeSet<Finding>>,
    /// What is to be known, and from when on it may be posted; none is at once.
    standing: BTreeMap<Draft, Option<Instant>>,
    budget: Budget,
}

impl Events {
    pub(super) fn new(writers: &Writers, notices: Notices) -> Self {
        Self {
            client: writers.client.clone(),
            snapshots: writers.snapshots.clone(),
            leadership: writers.leadership.clone(),
            metrics: writers.metrics.clone(),
            notices,
            identity: writers.config.identity.clone(),
            findings: Arc::default(),
            standing: BTreeMap::new(),
            budget: Budget::default(),
        }
    }

    /// Posts until it is dropped.
    pub(super) async fn run(mut self) {
        let mut notices_changed = self.notices.changed();
        self.snapshots.mark_changed();
        loop {
            let next = self.next(Instant::now());
            let (draft, at) = next.unzip();
            tokio::select! {
                biased;
                () = changed(&mut self.snapshots) => {
                    let snapshot = self.snapshots.borrow_and_update().clone();
                    self.read(snapshot.as_deref());
                }
                () = changed(&mut notices_changed) => self.renew(),
                () = sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {
                    if let Some(draft) = draft {
                        self.post(draft).await;
                    }
                }
            }
        }
    }

    /// What is posted next, and when. A writer's own notices and the findings wait alike, by object.
    fn next(&self, now: Instant) -> Option<(Draft, Instant)> {
        let due = |(_, not_before): &(&Draft, &Option<Instant>)| not_before.unwrap_or(now);
        let next = self.standing.iter().min_by_key(due)?;
        let at = due(&next).max(self.budget.free_at(now));
        Some((next.0.clone(), at))
    }

    fn read(&mut self, snapshot: Option<&Snapshot>) {
        let Some(snapshot) = snapshot else {
            return;
        };
        if !Arc::ptr_eq(&self.findings, &snapshot.findings) {
            self.findings = Arc::clone(&snapshot.findings);
            self.renew();
        }
    }

    /// Makes new what stands. What was posted and still stands stays posted.
    fn renew(&mut self) {
        let findings = self.findings.iter().filter_map(Draft::of_finding);
        let notices = self.notices.all().into_iter().map(Draft::from);
        let mut before = std::mem::take(&mut self.standing);
        for draft in findings.chain(notices) {
            let known = before.remove(&draft);
            if known.is_none() && !self.standing.contains_key(&draft) {
                self.metrics.found(draft.reason);
            }
            self.standing.entry(draft).or_insert(known.flatten());
        }
    }

    async fn post(&mut self, draft: Draft) {
        if !self.leadership.is_leader() {
            return;
        }
        let now = Instant::now();
        self.budget.spend(now);
        let result = self.create(&draft).await;
        let outcome = result
            .as_ref()
            .map_or_else(Unwritten::outcome, |()| WriteOutcome::Done);
        self.metrics.wrote(Written::Event, outcome);
        let wait = match result {
            Ok(()) => REPEAT,
            Err(Unwritten::Failed(error)) => {
                tracing::warn!(object = %draft.object, error, "Event not posted, trying again");
                RETRY
            }
            // Such as a namespace that is on its way out.
            Err(error) => {
                tracing::debug!(object = %draft.object, ?error, "Event not taken");
                REPEAT
            }
        };
        if let Some(not_before) = self.standing.get_mut(&draft) {
            *not_before = Some(now + wait);
        }
    }

    async fn create(&self, draft: &Draft) -> Result<(), Unwritten> {
        let uid = match write(self.uid(&draft.object)).await {
            Ok(Some(uid)) => Some(uid),
            // The object is gone, and what was wrong with it soon will be.
            Ok(None) => return Ok(()),
            // An older version of the kind may be there.
            Err(Unwritten::Absent) => None,
            Err(error) => return Err(error),
        };
        let event = draft.event(uid.as_deref(), &self.identity, Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), draft.namespace());
        match write(api.create(&PostParams::default(), &event)).await {
            // Of an earlier term: names follow from what is said.
            Ok(_) | Err(Unwritten::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `kubectl describe` finds Events by it. A list of one, because `list` is allowed already.
    async fn uid(&self, id: &ObjectId) -> kube::Result<Option<String>> {
        let kind = id.kind;
        let resource = kind.api_resource();
        let api: Api<DynamicObject> = if kind.is_of_cluster() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &id.namespace, &resource)
        };
        let params = ListParams::default().fields(&format!("metadata.name={}", id.name));
        let found = api.list_metadata(&params).await?;
        let uids = found.items.into_iter().map(|object| object.metadata.uid);
        Ok(uids.flatten().next())
    }
}
