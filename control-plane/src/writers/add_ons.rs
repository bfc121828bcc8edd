//! The status of every InterceptorRoute and HTTPScaledObject: whether it is in force, and which of its fields are not.
//! And the last of an HTTPScaledObject, which the add-on's operator keeps until it lets it go.

mod status;

use std::sync::Arc;

use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch},
    runtime::watcher,
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use wakegate_api::http_add_on::FINALIZER;

use self::status::{Observed, Outlook};
use super::{
    Writers, changed, first::First, metrics::Written, mirror::Mirror, status_writes::StatusWrites,
    write::write,
};
use crate::{
    leader::Leadership,
    object::{Finding, Kind, ObjectId},
    push::Acks,
    snapshot::Snapshot,
    wanted::AddOnVerdict,
};

const KINDS: [Kind; 2] = [Kind::InterceptorRoute, Kind::HttpScaledObject];

/// The writer of status, for one term as leader.
pub(super) struct AddOns {
    client: Client,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    acks: Acks,
    leadership: Leadership,
    writes: StatusWrites,
    mirrors: [Mirror<DynamicObject, Observed>; 2],
    first: First<AddOnVerdict>,
}

/// What is to be written to an object.
enum Due {
    Status(Value),
    /// The finalizers without the add-on's.
    LetGo(Vec<String>),
}

impl AddOns {
    pub(super) fn new(writers: &Writers) -> Self {
        let client = writers.client.clone();
        let mirrors = KINDS.map(|kind| {
            let resource = kind.api_resource();
            let apis = super::apis(
                &writers.config.namespaces,
                |namespace| Api::namespaced_with(client.clone(), namespace, &resource),
                || Api::all_with(client.clone(), &resource),
            );
            Mirror::new(kind, apis, &watcher::Config::default(), Observed::new)
        });
        Self {
            snapshots: writers.snapshots.clone(),
            acks: writers.acks.clone(),
            leadership: writers.leadership.clone(),
            writes: StatusWrites::new(Written::AddOnStatus, writers.metrics.clone()),
            mirrors,
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
            let [routes, scaled] = &mut self.mirrors;
            tokio::select! {
                () = changed(&mut self.snapshots) => {}
                () = changed(&mut acks_changed) => {}
                () = routes.changed() => {}
                () = scaled.changed() => {}
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {}
            }
            let snapshot = self.snapshots.borrow_and_update().clone();
            if let Some(snapshot) = snapshot {
                self.round(&snapshot).await;
            }
        }
    }

    async fn round(&mut self, snapshot: &Arc<Snapshot>) {
        self.first.renew(snapshot, &snapshot.add_ons);
        self.writes.begin_round();
        let mut all = Vec::new();
        let synced = self.mirrors.iter().filter(|mirror| mirror.is_synced());
        for (id, observed) in synced.flat_map(Mirror::objects) {
            if self.writes.rests(id) {
                continue;
            }
            if let Some(due) = self.due(id, observed, snapshot.refused.get(id)) {
                all.push((id.clone(), Arc::clone(observed), due));
            }
        }
        for (id, observed, due) in all {
            self.patch(&id, &observed, due).await;
        }
    }

    /// What is to be written; none where it is there already, or where the index has not seen the object as it is.
    fn due(&self, id: &ObjectId, observed: &Observed, wrong: Option<&Finding>) -> Option<Due> {
        let said = self.first.get(id);
        if observed.is_going {
            // The operator does this while it runs.
            let (verdict, _) = said?;
            let has_operator = verdict.ready.is_none();
            let others = observed.finalizers.iter().filter(|it| *it != FINALIZER);
            let is_due = !has_operator && observed.finalizers.iter().any(|it| it == FINALIZER);
            return is_due.then(|| Due::LetGo(others.cloned().collect()));
        }
        let outlook = match said {
            Some((verdict, first)) if verdict.generation == observed.generation => Outlook::Said {
                verdict,
                applied: self.acks.applied(first, &verdict.origins),
            },
            Some(_) | None => Outlook::Refused(wrong?),
        };
        let status = status::next(observed, &outlook, Timestamp::now());
        status.map(Due::Status)
    }

    async fn patch(&mut self, id: &ObjectId, observed: &Observed, due: Due) {
        if !self.leadership.is_leader() {
            return;
        }
        let resource = id.kind.api_resource();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &id.namespace, &resource);
        let params = StatusWrites::params();
        // Lists are written whole: the version says that nobody wrote in between.
        let (uid, version) = (&observed.uid, &observed.resource_version);
        let result = match due {
            Due::Status(status) => {
                let metadata = json!({"uid": uid, "resourceVersion": version});
                let patch = Patch::Merge(json!({"metadata": metadata, "status": status}));
                write(api.patch_status(&id.name, &params, &patch)).await
            }
            Due::LetGo(finalizers) => {
                let patch = Patch::Merge(json!({"metadata": {
                    "uid": uid, "resourceVersion": version, "finalizers": finalizers,
                }}));
                write(api.patch(&id.name, &params, &patch)).await
            }
        };
        let at = KINDS.iter().position(|kind| *kind == id.kind);
        let mirror = at.and_then(|at| self.mirrors.get_mut(at));
        if let (Some(written), Some(mirror)) = (self.writes.settle(id, result), mirror) {
            mirror.put(written);
        }
    }
}
