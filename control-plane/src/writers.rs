//! What is written to Kubernetes: ScaledObjects, Events, and the status of each WakePolicy, InterceptorRoute and
//! HTTPScaledObject. By the leader only.
//!
//! ```text
//! snapshot ─┬─► scaled_objects ─┐ what a user has to know
//!           ├─► explain ────────┼─► events
//!           ├─► policies        │
//!           └─► add_ons         │
//!            findings ──────────┘
//! ```

mod add_ons;
mod conditions;
mod events;
mod explain;
mod first;
mod metrics;
mod mirror;
mod notices;
mod policies;
mod scaled_objects;
mod status_writes;
pub(crate) mod write;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kube::{Api, Client};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

pub use self::metrics::WriterMetrics;

use self::{
    add_ons::AddOns, events::Events, explain::Explain, notices::Notices, policies::Policies,
    scaled_objects::ScaledObjects,
};
use crate::{config::Kubernetes, leader::Leadership, push::Acks, snapshot::Snapshot};

/// Under which name fields are ours.
pub(crate) const FIELD_MANAGER: &str = "wakegate";

/// How Events and the status of policies name us.
const CONTROLLER: &str = "wakegate.dev/control-plane";

/// The label of what is ours, and its value.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "wakegate");

/// A write that takes longer has failed. Admission webhooks get 10 s from the API server, 30 s at most.
const WRITE_LIMIT: Duration = Duration::from_secs(35);

/// What a new leader waits before it writes: the filters of the one before come back within 5 s, here or to
/// another replica, and the others look at the Lease every 2 s and tell how far theirs are. Who wrote sooner would
/// take a filter that has not come for one that there is not.
const SETTLING: Duration = Duration::from_secs(6);

/// Everything that is written.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "kube's client has none")]
pub struct Writers {
    /// What the flags say.
    pub config: Kubernetes,
    /// The way to the API server.
    pub client: Client,
    /// What is wanted.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// What filters have.
    pub acks: Acks,
    /// The version of the Secret with KEDA's certificate, where it is ours to make: nothing is written for KEDA before
    /// there is one, and everything anew with the next.
    pub keda_certificate: Option<watch::Receiver<Option<Arc<str>>>>,
    /// Whether anything may be written.
    pub leadership: Leadership,
    /// What is counted.
    pub metrics: WriterMetrics,
}

impl Writers {
    /// Writes whenever this replica leads, until the shutdown.
    ///
    /// # Errors
    /// None so far: what cannot be written is tried again.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut leadership = self.leadership.clone();
        while leadership.next_term(&shutdown).await {
            leadership
                .while_leading(&shutdown, Box::pin(self.lead()))
                .await;
        }
        Ok(())
    }

    /// Never ends by itself.
    async fn lead(&self) {
        sleep(SETTLING).await;
        let notices = Notices::default();
        let scaled_objects = ScaledObjects::new(self, notices.clone());
        let explain = Explain::new(self, notices.clone());
        let policies = Policies::new(self);
        let add_ons = AddOns::new(self);
        let events = Events::new(self, notices);
        tokio::join!(
            scaled_objects.run(),
            explain.run(),
            policies.run(),
            add_ons.run(),
            events.run()
        );
    }
}

/// An API for each namespace, or one for all.
fn apis<K>(
    namespaces: &BTreeSet<String>,
    of_one: impl Fn(&str) -> Api<K>,
    of_all: impl FnOnce() -> Api<K>,
) -> Vec<(Option<&str>, Api<K>)> {
    if namespaces.is_empty() {
        return vec![(None, of_all())];
    }
    let names = namespaces.iter().map(String::as_str);
    names.map(|name| (Some(name), of_one(name))).collect()
}

/// Waits for news; for ever when there will be none.
///
/// # Cancel safety
/// Nothing is lost: a value counts as seen only when this returns.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
