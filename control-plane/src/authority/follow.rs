//! What the leader wrote for the control planes, in every replica.

use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use wakegate_runtime::tls::{self, Allowed, Identity, IdentityError, Tls, TlsMetrics, Transport};

use super::{holders::CONTROL_PLANE, said::Said, secrets};
use crate::{
    backoff::jittered,
    writers::write::{Unwritten, write},
};

/// How soon it is looked again until there is one.
const FIRST: Duration = Duration::from_millis(500);

/// Reads the control planes' Secret again and again: it is small, and changes every few weeks.
pub(super) struct Follow {
    api: Api<Secret>,
    namespace: String,
    look_every: Duration,
    allowed: Allowed,
    metrics: TlsMetrics,
    in_force: Option<Identity>,
    transport: watch::Sender<Option<Transport>>,
    said: Said,
}

impl Follow {
    pub(super) fn new(
        client: Client,
        namespace: String,
        look_every: Duration,
        (allowed, metrics): (Allowed, TlsMetrics),
    ) -> (Self, watch::Receiver<Option<Transport>>) {
        let (transport, first) = watch::channel(None);
        let follow = Self {
            api: Api::namespaced(client, &namespace),
            namespace,
            look_every,
            allowed,
            metrics,
            in_force: None,
            transport,
            said: Said::default(),
        };
        (follow, first)
    }

    /// Until the shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        loop {
            let looked = shutdown.run_until_cancelled(self.look()).await;
            let Some(()) = looked else { return Ok(()) };
            let wait = if self.in_force.is_some() {
                self.look_every
            } else {
                FIRST
            };
            if shutdown
                .run_until_cancelled(sleep(jittered(wait)))
                .await
                .is_none()
            {
                return Ok(());
            }
        }
    }

    async fn look(&mut self) {
        match write(self.api.get_opt(CONTROL_PLANE)).await {
            Ok(Some(secret)) if secrets::is_ours(&secret) => self.take(&secret),
            Ok(Some(_)) => self.ill("is not one that Wakegate made: delete it, or give --tls-dir"),
            Ok(None) | Err(Unwritten::Absent) => {
                self.ill("is not there yet: the replica that leads makes it");
            }
            Err(Unwritten::Conflict(text) | Unwritten::Refused(text) | Unwritten::Failed(text)) => {
                self.ill(&format!("cannot be read: {text}"));
            }
        }
    }

    /// What was in force stays so while there is nothing better.
    fn take(&mut self, secret: &Secret) {
        let Some(found) = identity(secret) else {
            return self.ill("lacks tls.crt, tls.key or ca.crt");
        };
        if self.in_force.as_ref() == Some(&found) {
            return self.said.well(&self.namespace, CONTROL_PLANE);
        }
        match self.put_in_force(&found) {
            Ok(()) => {
                tracing::info!("the own certificate is in force");
                self.in_force = Some(found);
                self.said.well(&self.namespace, CONTROL_PLANE);
            }
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                self.ill(&format!("cannot be used: {error}"));
            }
        }
    }

    fn put_in_force(&self, found: &Identity) -> Result<(), IdentityError> {
        let now = SystemTime::now();
        if let Some(Transport::Tls(tls)) = &*self.transport.borrow() {
            return tls.replace(found, now);
        }
        let tls = Tls::new(found, self.allowed.clone(), self.metrics.clone(), now)?;
        self.transport.send_replace(Some(Transport::Tls(tls)));
        Ok(())
    }

    fn ill(&mut self, what: &str) {
        self.said.ill(&self.namespace, CONTROL_PLANE, what);
    }
}

fn identity(secret: &Secret) -> Option<Identity> {
    let data = |key| secrets::data(secret, key).map(<[u8]>::to_vec);
    Some(Identity {
        certificate: data(tls::CERTIFICATE)?,
        key: data(tls::KEY)?,
        authorities: data(tls::AUTHORITIES)?,
    })
}
