//! The own certificate authority: for an installation that brings no certificates.
//!
//! ```text
//!             leads                      every replica
//! plan ─► keeper ─► Secrets ─┬─► control planes' ─► follow ─► Tls
//!                            └─► scalers', filters', KEDA's
//! ```
//! The Secret `wakegate-ca` has the keys, and only the control plane reads it. All that is known of a rotation stands
//! in Secrets, so that another leader goes on with it at any point.

mod authorities;
mod certificates;
mod follow;
mod holders;
mod keeper;
mod metrics;
mod plan;
mod said;
mod secrets;
mod store;

use std::{sync::Arc, time::Duration};

use kube::Client;
use tokio::sync::watch;
use wakegate_runtime::{
    Tasks,
    tls::{Allowed, TlsMetrics, Transport},
};

pub use self::{holders::Holders, metrics::AuthorityMetrics, plan::Lifetimes};

use self::{follow::Follow, keeper::Keeper};
use crate::leader::Leadership;

/// Who gets certificates, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityConfig {
    /// Who gets certificates.
    pub holders: Holders,
    /// The name of this replica, which no other has.
    pub identity: String,
    /// For how long.
    pub lifetimes: Lifetimes,
}

/// How often Secrets are looked at: each is a small read, and what was deleted should be back soon.
const LOOK: Duration = Duration::from_secs(15);

impl Lifetimes {
    /// Often enough for what the overlap waits for.
    fn look_every(self) -> Duration {
        LOOK.min(self.overlap / 8)
    }
}

/// How gRPC is spoken by certificates of our own.
pub(crate) struct Started {
    /// With the control planes' own certificate, once there is one.
    pub(crate) transport: watch::Receiver<Option<Transport>>,
    /// The version of KEDA's Secret, once there is one; in the replica that leads.
    pub(crate) keda: watch::Receiver<Option<Arc<str>>>,
}

/// Looks after authorities and certificates while this replica leads, and in any case follows the control planes' own
/// certificate.
pub(crate) fn start(
    tasks: &Tasks,
    client: &Client,
    config: &AuthorityConfig,
    leadership: Leadership,
    (allowed, (metrics, tls)): (Allowed, (AuthorityMetrics, TlsMetrics)),
) -> Started {
    let keeper = Keeper::new(client.clone(), config, leadership, metrics);
    let keda = keeper.keda_version();
    tasks.spawn("authority", keeper.run(tasks.shutdown_token()));
    let (follow, transport) = Follow::new(
        client.clone(),
        config.holders.namespace.clone(),
        config.lifetimes.look_every(),
        (allowed, tls),
    );
    tasks.spawn("own certificate", follow.run(tasks.shutdown_token()));
    Started { transport, keda }
}
