//! The status of every WakePolicy: for each target, whether it is in force and whether the filters have it.

mod merge;

use std::sync::Arc;

use jiff::Timestamp;
use kube::{Api, Client, api::Patch, runtime::watcher};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use wakegate_api::{WakePolicy, wake_policy::PolicyAncestor};

use super::{
    Writers, changed, first::First, metrics::Written, mirror::Mirror, status_writes::StatusWrites,
    write::write,
};
use crate::{
    leader::Leadership,
    object::{Kind, ObjectId},
    push::Acks,
    snapshot::Snapshot,
    wanted::{AncestorVerdict, PolicyVerdict},
};

/// The writer of status, for one term as leader.
pub(super) struct Policies {
    client: Client,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    acks: Acks,
    leadership: Leadership,
    writes: StatusWrites,
    mirror: Mirror<WakePolicy, Observed>,
    first: First<PolicyVerdict>,
}

/// A policy as it is, as far as its status goes.
#[derive(Clone, Debug, PartialEq)]
struct Observed {
    uid: String,
    resource_version: String,
    generation: i64,
    ancestors: Vec<PolicyAncestor>,
}

impl Policies {
    pub(super) fn new(writers: &Writers) -> Self {
        let client = writers.client.clone();
        let apis = super::apis(
            &writers.config.namespaces,
            |namespace| Api::namespaced(client.clone(), namespace),
            || Api::all(client.clone()),
        );
        let mirror = Mirror::new(
            Kind::WakePolicy,
            apis,
            &watcher::Config::default(),
            observed,
        );
        Self {
            snapshots: writers.snapshots.clone(),
            acks: writers.acks.clone(),
            leadership: writers.leadership.clone(),
            writes: StatusWrites::new(Written::WakePolicyStatus, writers.metrics.clone()),
            mirror,
            first: First::default(),
            client,
        }
    }

    /// Writes until it is dropped.
    pub(super) async fn run(mut self) {
        let mut acks_changed = self.acks.changed();
        self.snapshots.mark_changed();
        loop {
            let retry = self.writes.retry_at();
            tokio::select! {
                () = changed(&mut self.snapshots) => {}
                () = changed(&mut acks_changed) => {}
                () = self.mirror.changed() => {}
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {}
            }
            let snapshot = self.snapshots.borrow_and_update().clone();
            if let Some(snapshot) = snapshot.filter(|_| self.mirror.is_synced()) {
                self.round(&snapshot).await;
            }
        }
    }

    async fn round(&mut self, snapshot: &Arc<Snapshot>) {
        self.first.renew(snapshot, &snapshot.policies);
        self.writes.begin_round();
        let mut due = Vec::new();
        for (id, observed) in self.mirror.objects() {
            if self.writes.rests(id) {
                continue;
            }
            if let Some(next) = self.next(id, observed) {
                due.push((id.clone(), Arc::clone(observed), next));
            }
        }
        for (id, observed, next) in due {
            self.patch(&id, &observed, &next).await;
        }
    }

    /// The ancestors that are to be written; none where they stand there already, or where the index has
    /// not seen the policy as it is.
    fn next(&self, id: &ObjectId, observed: &Observed) -> Option<Vec<PolicyAncestor>> {
        let (verdict, first) = self.first.get(id)?;
        let applied = |ancestor: &AncestorVerdict| self.acks.applied(first, &ancestor.origins);
        let before = &observed.ancestors;
        let next = merge::ancestors(&id.namespace, verdict, before, applied, Timestamp::now());
        let is_news = verdict.generation == observed.generation && next != *before;
        is_news.then_some(next)
    }

    async fn patch(&mut self, id: &ObjectId, observed: &Observed, next: &[PolicyAncestor]) {
        if !self.leadership.is_leader() {
            return;
        }
        let api: Api<WakePolicy> = Api::namespaced(self.client.clone(), &id.namespace);
        // The list is one field, with the ancestors of others in it: the version says that none was
        // written in between.
        let patch = json!({
            "metadata": {"uid": observed.uid, "resourceVersion": observed.resource_version},
            "status": {"ancestors": next},
        });
        let params = StatusWrites::params();
        let result = write(api.patch_status(&id.name, &params, &Patch::Merge(&patch))).await;
        if let Some(written) = self.writes.settle(id, result) {
            self.mirror.put(written);
        }
    }
}

fn observed(policy: WakePolicy) -> Option<Observed> {
    let WakePolicy {
        metadata, status, ..
    } = policy;
    Some(Observed {
        uid: metadata.uid?,
        resource_version: metadata.resource_version?,
        generation: metadata.generation.unwrap_or_default(),
        ancestors: status.unwrap_or_default().ancestors,
    })
}
