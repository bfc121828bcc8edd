//! A ScaledObject for each workload: made when filters count for it, kept as it is to be, deleted when
//! nobody wants it.
//!
//! Server-side apply, and never by force but where the KEDA HTTP add-on's operator is gone and what it wrote is taken
//! over: a field that a user, or a tool of theirs, has is theirs.

mod manifest;
mod observed;
mod plan;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    runtime::watcher,
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use self::{
    manifest::{Common, Manifest},
    observed::Observed,
    plan::{Attempt, Due, Missing, Step, step},
};
use super::{
    FIELD_MANAGER, MANAGED_BY, Writers, changed,
    metrics::{WriteOutcome, WriterMetrics, Written},
    mirror::Mirror,
    notices::{Notice, Notices, Topic},
    write::{Unwritten, write},
};
use crate::{
    leader::Leadership,
    object::{Kind, ObjectId},
    push::Acks,
    snapshot::Snapshot,
    wanted::WantedScaledObject,
};

/// Writes at once. KEDA's webhook looks at each, and others need the API server too.
const MAX_WRITES: usize = 8;

/// The writer of ScaledObjects, for one term as leader.
pub(super) struct ScaledObjects {
    client: Client,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    acks: Acks,
    leadership: Leadership,
    metrics: WriterMetrics,
    notices: Notices,
    common: Common,
    /// Changes what is the same in all; none where KEDA's certificate is not ours to make.
    keda_certificate: Option<watch::Receiver<Option<Arc<str>>>>,
    /// How long filters may take to have a route before it is news.
    patience: Duration,
    mirror: Mirror<DynamicObject, Observed>,
    wanted: BTreeMap<ObjectId, Arc<WantedScaledObject>>,
    /// The snapshot that `wanted` is of, or an earlier one that says the same.
    wanted_since: Option<u64>,
    attempts: BTreeMap<ObjectId, Attempt>,
    /// Those that are not settled: of ten thousand few, and the others are not looked at with each of them.
    open: BTreeSet<ObjectId>,
    writes: FuturesUnordered<BoxFuture<'static, (ObjectId, Result<Done, Unwritten>)>>,
}

/// What a write did.
enum Done {
    Applied(Box<DynamicObject>),
    Deleted,
    /// The term was over.
    NotLeader,
}

/// What came of a look at one.
enum Look {
    /// It is to be looked at again then.
    At(Instant),
    /// When something changes, for which filters are enough.
    WhenNews,
    /// A write is under way, or there is nothing to do: not before it differs.
    Done,
}

impl ScaledObjects {
    pub(super) fn new(writers: &Writers, notices: Notices) -> Self {
        let config = &writers.config;
        let (client, resource) = (writers.client.clone(), Kind::ScaledObject.api_resource());
        let apis = super::apis(
            &config.namespaces,
            |namespace| Api::namespaced_with(client.clone(), namespace, &resource),
            || Api::all_with(client.clone(), &resource),
        );
        let ours = watcher::Config::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
        let mirror = Mirror::new(Kind::ScaledObject, apis, &ours, |object| {
            Some(Observed::new(object))
        });
        Self {
            snapshots: writers.snapshots.clone(),
            acks: writers.acks.clone(),
            leadership: writers.leadership.clone(),
            metrics: writers.metrics.clone(),
            notices,
            common: Common {
                scaler_address: config.scaler_address.as_str().into(),
                polling_interval: config.polling_interval,
                authentication: config.keda_authentication.clone(),
                certificate: None,
            },
            keda_certificate: writers.keda_certificate.clone(),
            patience: config.explain_after,
            mirror,
            wanted: BTreeMap::new(),
            wanted_since: None,
            attempts: BTreeMap::new(),
            open: BTreeSet::new(),
            writes: FuturesUnordered::new(),
            client,
        }
    }

    /// Writes until it is dropped.
    pub(super) async fn run(mut self) {
        let mut acks_changed = self.acks.changed();
        self.snapshots.mark_changed();
        self.read_certificate();
        let mut next = None;
        loop {
            tokio::select! {
                () = changed(&mut self.snapshots) => self.read_wanted(),
                () = changed(&mut acks_changed) => {}
                () = self.mirror.changed() => {}
                () = new_certificate(&mut self.keda_certificate) => self.read_certificate(),
                Some((id, result)) = self.writes.next() => self.written(&id, result),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            next = self.round();
        }
    }

    /// Everything is to be written anew with another certificate.
    fn read_certificate(&mut self) {
        let Some(receiver) = &mut self.keda_certificate else {
            return;
        };
        let certificate = receiver.borrow_and_update().clone();
        if certificate == self.common.certificate {
            return;
        }
        self.common.certificate = certificate;
        for attempt in self.attempts.values_mut() {
            attempt.reopen();
        }
        self.open.extend(self.wanted.keys().cloned());
    }

    /// Whether KEDA could not show who it is.
    fn awaits_certificate(&self) -> bool {
        self.keda_certificate.is_some() && self.common.certificate.is_none()
    }

    fn read_wanted(&mut self) {
        let snapshot = self.snapshots.borrow_and_update().clone();
        let since = snapshot.as_ref().map(|it| it.scaled_objects_since);
        if since == self.wanted_since {
            return;
        }
        self.wanted_since = since;
        let wanted = snapshot
            .iter()
            .flat_map(|snapshot| snapshot.scaled_objects.values());
        let wanted = wanted
            .map(|wanted| (id_of(wanted), Arc::clone(wanted)))
            .collect();
        let before = std::mem::replace(&mut self.wanted, wanted);
        self.open.extend(differing(&before, &self.wanted));
    }

    /// Begins every write that is due; returns when the next one is.
    fn round(&mut self) -> Option<Instant> {
        let snapshot = self.snapshots.borrow().clone()?;
        if !self.mirror.is_synced() {
            return None;
        }
        self.open.extend(self.mirror.take_changed());
        let (now, mut next) = (Instant::now(), None::<Instant>);
        let mut after = None;
        // The end of a write begins the next round.
        while self.writes.len() < MAX_WRITES {
            let Some(id) = following(&self.open, after.as_ref()).cloned() else {
                break;
            };
            match self.look(&id, &snapshot, now) {
                Look::At(at) => next = Some(next.map_or(at, |next| next.min(at))),
                Look::WhenNews => {}
                Look::Done => {
                    self.open.remove(&id);
                }
            }
            after = Some(id);
        }
        next
    }

    /// Looks at one ScaledObject.
    fn look(&mut self, id: &ObjectId, snapshot: &Arc<Snapshot>, now: Instant) -> Look {
        let wanted = self.wanted.get(id);
        let awaits_certificate = wanted.is_some() && self.awaits_certificate();
        let observed = self.mirror.objects().get(id);
        let attempt = self.attempts.entry(id.clone()).or_default();
        match attempt.due(now, wanted, observed) {
            Due::Now => {}
            Due::At(at) => return Look::At(at),
            Due::Later => return Look::Done,
        }
        let (since, first) = attempt.awaits(now, snapshot);
        let applied = wanted.filter(|_| observed.is_none());
        let applied = applied.map(|wanted| self.acks.applied(&first, &wanted.origins));
        let missing = applied.and_then(Missing::of);
        let missing = missing.or_else(|| awaits_certificate.then_some(Missing::Certificate));
        // Before its manifest is made: thousands may wait, and be looked at with each ack.
        if let Some(missing) = missing {
            let tell_at = since + self.patience;
            if tell_at > now {
                return Look::At(tell_at);
            }
            self.notify(id, Some(missing.notice()));
            return Look::WhenNews;
        }
        let manifest = wanted.map(|wanted| Manifest::new(wanted, &self.common));
        match step(manifest.as_ref(), observed.map(Arc::as_ref)) {
            Step::Nothing => {
                attempt.settle(observed);
                if wanted.is_none() && observed.is_none() {
                    self.attempts.remove(id);
                }
                self.notices
                    .set(Topic::ScaledObject(id.clone()), Vec::new());
            }
            Step::Apply => {
                attempt.begin();
                if let Some(manifest) = manifest {
                    let patch = Patch::Apply(manifest.as_value().clone());
                    let takes_over = manifest.takes_over(observed.map(Arc::as_ref));
                    self.patch(id.clone(), (patch, takes_over));
                }
            }
            Step::LetGo => {
                attempt.begin();
                if let Some((manifest, observed)) = manifest.zip(observed) {
                    let patch = manifest.letting_go(observed);
                    self.patch(id.clone(), (Patch::Merge(patch), false));
                }
            }
            Step::Delete => {
                attempt.begin();
                let uid = observed.map(|observed| observed.uid.clone());
                self.delete(id.clone(), uid);
            }
        }
        Look::Done
    }

    fn patch(&self, id: ObjectId, (patch, takes_over): (Patch<Value>, bool)) {
        let (api, leadership) = (self.api(&id), self.leadership.clone());
        self.writes.push(Box::pin(async move {
            if !leadership.is_leader() {
                return (id, Ok(Done::NotLeader));
            }
            let params = PatchParams {
                // By force only what the add-on's operator has left behind.
                force: takes_over,
                ..PatchParams::apply(FIELD_MANAGER)
            };
            let result = write(api.patch(&id.name, &params, &patch)).await;
            (id, result.map(|object| Done::Applied(Box::new(object))))
        }));
    }

    fn delete(&self, id: ObjectId, uid: Option<String>) {
        let (api, leadership) = (self.api(&id), self.leadership.clone());
        self.writes.push(Box::pin(async move {
            if !leadership.is_leader() {
                return (id, Ok(Done::NotLeader));
            }
            // Not another one that took its name.
            let params = DeleteParams::default().preconditions(Preconditions {
                uid,
                resource_version: None,
            });
            let result = match write(api.delete(&id.name, &params)).await {
                Ok(_) | Err(Unwritten::Absent) => Ok(Done::Deleted),
                Err(error) => Err(error),
            };
            (id, result)
        }));
    }

    fn api(&self, id: &ObjectId) -> Api<DynamicObject> {
        Api::namespaced_with(
            self.client.clone(),
            &id.namespace,
            &Kind::ScaledObject.api_resource(),
        )
    }

    fn written(&mut self, id: &ObjectId, result: Result<Done, Unwritten>) {
        let (now, object) = (Instant::now(), id.to_string());
        self.open.insert(id.clone());
        let outcome = result
            .as_ref()
            .map_or_else(Unwritten::outcome, |_| WriteOutcome::Done);
        let attempt = self.attempts.entry(id.clone()).or_default();
        let notice = match result {
            Ok(Done::NotLeader) => return attempt.failed(now),
            Ok(Done::Applied(written)) => {
                tracing::info!(object, "applied");
                self.mirror.put(*written);
                attempt.settle(self.mirror.objects().get(id));
                None
            }
            Ok(Done::Deleted) => {
                tracing::info!(object, "deleted, since nobody wants it");
                attempt.settle(self.mirror.objects().get(id));
                None
            }
            Err(Unwritten::Conflict(who)) => {
                tracing::warn!(
                    object,
                    who,
                    "somebody else has a field of it: left as it is"
                );
                attempt.conflicted(now);
                Some(conflict_text(id, &who))
            }
            Err(Unwritten::Refused(error)) => {
                tracing::warn!(object, error, "refused");
                attempt.failed(now);
                Some((
                    "ScaledObjectRefused",
                    format!("{object} was refused: {error}"),
                ))
            }
            Err(Unwritten::Absent) => {
                tracing::debug!(object, "KEDA or the namespace is gone");
                attempt.failed(now);
                None
            }
            Err(Unwritten::Failed(error)) => {
                tracing::warn!(object, error, "not written, trying again");
                attempt.failed(now);
                None
            }
        };
        self.metrics.wrote(Written::ScaledObject, outcome);
        self.notify(id, notice);
    }

    /// Tells who owns a ScaledObject, or takes back what they were told.
    fn notify(&self, id: &ObjectId, notice: Option<(&'static str, String)>) {
        let wanted = self.wanted.get(id);
        let owners = wanted.iter().flat_map(|wanted| &wanted.owners);
        let owners = owners.map(|owner| {
            let namespace = Arc::clone(&id.namespace);
            ObjectId::new(owner.kind, namespace, owner.name.as_str())
        });
        let notices = notice.map_or_else(Vec::new, |(reason, text)| {
            let notice = |object| Notice {
                object,
                reason,
                text: text.clone(),
            };
            owners.map(notice).collect()
        });
        self.notices.set(Topic::ScaledObject(id.clone()), notices);
    }
}

fn id_of(wanted: &WantedScaledObject) -> ObjectId {
    ObjectId::new(
        Kind::ScaledObject,
        Arc::clone(&wanted.namespace),
        wanted.name.as_str(),
    )
}

/// Waits for another version of KEDA's certificate; for ever where it is not ours to make.
async fn new_certificate(certificate: &mut Option<watch::Receiver<Option<Arc<str>>>>) {
    match certificate {
        Some(certificate) => changed(certificate).await,
        None => std::future::pending().await,
    }
}

/// Which of them came, went or differ.
fn differing<T>(
    before: &BTreeMap<ObjectId, Arc<T>>,
    after: &BTreeMap<ObjectId, Arc<T>>,
) -> Vec<ObjectId> {
    let differs = |(id, one): &(&ObjectId, &Arc<T>), other: &BTreeMap<ObjectId, Arc<T>>| {
        other.get(*id).is_none_or(|other| !Arc::ptr_eq(one, other))
    };
    let new = after.iter().filter(|it| differs(it, before));
    let gone = before.iter().filter(|(id, _)| !after.contains_key(*id));
    new.chain(gone).map(|(id, _)| id.clone()).collect()
}

/// The first of them, or the one after `after`.
fn following<'a>(ids: &'a BTreeSet<ObjectId>, after: Option<&ObjectId>) -> Option<&'a ObjectId> {
    match after {
        Some(after) => ids.range((Bound::Excluded(after), Bound::Unbounded)).next(),
        None => ids.first(),
    }
}

fn conflict_text(id: &ObjectId, who: &str) -> (&'static str, String) {
    let text = format!(
        "{id} is left as it is, because others have fields of it: {who}; let them go, or write all of it \
         yourself and say wakegate.dev/scaled-object: external"
    );
    ("ScaledObjectConflict", text)
}
