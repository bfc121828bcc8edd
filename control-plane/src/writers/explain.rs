//! Why a workload that was woken does not become ready, said where its users look: on its Services and the
//! routes to them. Pods are listed for this alone.

mod cause;
mod look;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::Client;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use wakegate_wire::v1;

use self::cause::Cause;
use super::{
    Writers, changed,
    notices::{Notice, Notices, Topic},
};
use crate::{
    leader::Leadership,
    object::{Kind, ObjectId},
    snapshot::Snapshot,
};

/// The time between two looks at the same workload.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Objects that are told of one workload.
const MAX_TOLD: usize = 20;

/// The part that explains, for one term as leader.
pub(super) struct Explain {
    client: Client,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    leadership: Leadership,
    notices: Notices,
    patience: Duration,
    stuck: BTreeMap<Arc<str>, Stuck>,
    /// The snapshot that was read last.
    read: Option<u64>,
}

/// A workload with replicas and no ready endpoint.
#[derive(Clone, Debug)]
struct Stuck {
    /// When to look at it.
    next: Instant,
    cause: Option<Cause>,
}

impl Explain {
    pub(super) fn new(writers: &Writers, notices: Notices) -> Self {
        Self {
            client: writers.client.clone(),
            snapshots: writers.snapshots.clone(),
            leadership: writers.leadership.clone(),
            notices,
            patience: writers.config.explain_after,
            stuck: BTreeMap::new(),
            read: None,
        }
    }

    /// Explains until it is dropped.
    pub(super) async fn run(mut self) {
        self.snapshots.mark_changed();
        loop {
            let next = self.stuck.iter().min_by_key(|(_, stuck)| stuck.next);
            let next = next.map(|(id, stuck)| (Arc::clone(id), stuck.next));
            let (id, at) = next.unzip();
            tokio::select! {
                biased;
                () = changed(&mut self.snapshots) => {
                    let snapshot = self.snapshots.borrow_and_update().clone();
                    self.read(snapshot.as_deref(), Instant::now());
                }
                () = sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {
                    if let Some(id) = id {
                        self.look(&id).await;
                    }
                }
            }
        }
    }

    /// Which workloads are stuck, and which are no longer.
    fn read(&mut self, snapshot: Option<&Snapshot>, now: Instant) {
        let Some(snapshot) = snapshot else {
            return;
        };
        let is_stuck = |id: &str| {
            let workload = snapshot.workloads.get(id);
            workload.is_some_and(|workload| is_stuck(&workload.message))
        };
        let notices = &self.notices;
        self.stuck.retain(|id, _| {
            let stays = is_stuck(id);
            if !stays {
                notices.set(Topic::NotReady(Arc::clone(id)), Vec::new());
            }
            stays
        });
        // Of ten thousand workloads one changes at a time.
        let before = self.read.replace(snapshot.sequence);
        let changed = before.and_then(|before| snapshot.changed_since(before));
        let ids: Vec<Arc<str>> = match changed {
            Some(changed) => changed.workloads.into_iter().collect(),
            None => snapshot.workloads.keys().cloned().collect(),
        };
        for id in ids {
            if is_stuck(&id) && !self.stuck.contains_key(&id) {
                let next = now + self.patience;
                let stuck = Stuck { next, cause: None };
                self.stuck.insert(id, stuck);
            }
        }
    }

    async fn look(&mut self, id: &Arc<str>) {
        let workload = self.workload(id);
        if let Some(stuck) = self.stuck.get_mut(id) {
            stuck.next = Instant::now() + LOOK_AGAIN;
        }
        let Some(workload) = workload.filter(|_| self.leadership.is_leader()) else {
            return;
        };
        let found = match look::look(&self.client, &workload).await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(workload = &**id, %error, "pods not listed, trying again");
                return;
            }
        };
        let Some(stuck) = self.stuck.get_mut(id) else {
            return;
        };
        let is_same = stuck
            .cause
            .as_ref()
            .is_some_and(|last| (last.reason, &last.subject) == (found.reason, &found.subject));
        if is_same {
            return;
        }
        tracing::info!(
            workload = &**id,
            reason = found.reason,
            text = found.text,
            "does not become ready"
        );
        let topic = Topic::NotReady(Arc::clone(id));
        self.notices.set(topic, notices(&workload, &found));
        stuck.cause = Some(found);
    }

    fn workload(&self, id: &Arc<str>) -> Option<v1::Workload> {
        let snapshot = self.snapshots.borrow();
        let workload = snapshot.as_ref()?.workloads.get(id)?;
        Some(workload.message.clone())
    }
}

fn is_stuck(workload: &v1::Workload) -> bool {
    workload.ready_endpoints == 0 && workload.replicas.is_some_and(|replicas| replicas > 0)
}

/// One for each Service and route of its namespace.
fn notices(workload: &v1::Workload, cause: &Cause) -> Vec<Notice> {
    let kind = |alias: &str| match alias {
        "service" => Some(Kind::Service),
        "httpRoute" => Some(Kind::HttpRoute),
        "grpcRoute" => Some(Kind::GrpcRoute),
        "ingress" => Some(Kind::Ingress),
        "virtualService" => Some(Kind::VirtualService),
        _ => None,
    };
    let aliases = workload.aliases.iter();
    let objects = aliases.filter_map(|alias| {
        let kind = kind(&alias.kind)?;
        Some(ObjectId::new(
            kind,
            workload.namespace.as_str(),
            alias.name.as_str(),
        ))
    });
    let told = objects.take(MAX_TOLD).map(|object| Notice {
        object,
        reason: cause.reason,
        text: format!("{} does not become ready: {}", workload.id, cause.text),
    });
    told.collect()
}
