//! The Lease as the API server has it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, Error, api::PostParams};
use tokio::time::timeout;

use super::{LeaseConfig, candidate::Record};

/// Where followers find the holder.
const ADDRESS: &str = "wakegate.dev/address";

/// Says which program it was that wrote.
const FIELD_MANAGER: &str = "wakegate";

/// Why the Lease is not known, or not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseError {
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("the API server refused")]
    Refused(#[from] Error),
}

/// The one Lease.
#[derive(Debug)]
pub(super) struct Leases {
    api: Api<Lease>,
    config: LeaseConfig,
}

impl Leases {
    pub(super) fn new(client: Client, config: LeaseConfig) -> Self {
        let api = Api::namespaced(client, &config.namespace);
        Self { api, config }
    }

    /// The Lease, if there is one.
    pub(super) async fn read(&self) -> Result<Option<Lease>, LeaseError> {
        self.in_time(self.api.get_opt(&self.config.name)).await
    }

    /// Makes it ours, or says that it still is; not if another wrote it since it was read.
    pub(super) async fn hold(&self, lease: Option<Lease>) -> Result<bool, LeaseError> {
        let now = MicroTime(now());
        let is_new = lease.is_none();
        let mut lease = lease.unwrap_or_default();
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.config.identity) {
            spec.holder_identity = Some(self.config.identity.clone());
            spec.acquire_time = Some(now.clone());
            let transitions = spec.lease_transitions.unwrap_or_default();
            spec.lease_transitions = Some(transitions.saturating_add(i32::from(!is_new)));
        }
        spec.renew_time = Some(now);
        spec.lease_duration_seconds = Some(whole_seconds(self.config.duration));
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(ADDRESS.to_owned(), self.config.address.clone());
        self.write(lease).await
    }

    /// Gives it up if it is ours, so that another need not wait.
    pub(super) async fn release(&self) -> Result<(), LeaseError> {
        // Read anew: the last renewal may have been cut off before its answer.
        let lease = self.read().await?;
        let is_ours = |lease: &Lease| record(lease).holder == self.config.identity;
        let Some(mut lease) = lease.filter(is_ours) else {
            return Ok(());
        };
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.renew_time = Some(MicroTime(now()));
        if let Some(annotations) = &mut lease.metadata.annotations {
            annotations.remove(ADDRESS);
        }
        self.write(lease).await.map(drop)
    }

    /// Creates it, or replaces exactly the version that was read.
    async fn write(&self, mut lease: Lease) -> Result<bool, LeaseError> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let name = &self.config.name;
        let written = if lease.metadata.resource_version.is_some() {
            self.in_time(self.api.replace(name, &params, &lease)).await
        } else {
            lease.metadata = ObjectMeta {
                name: Some(name.clone()),
                ..lease.metadata
            };
            self.in_time(self.api.create(&params, &lease)).await
        };
        match written {
            Ok(_) => Ok(true),
            // It is another version now, was created meanwhile, or is gone.
            Err(LeaseError::Refused(Error::Api(status))) if matches!(status.code, 404 | 409) => {
                tracing::debug!(reason = status.message, "another was faster");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// One that hangs must not take the time of all that follow.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        let limit = self.config.renew_every;
        let answer = timeout(limit, answer).await;
        Ok(answer.map_err(|_| LeaseError::Silent(limit))??)
    }
}

/// What of a Lease decides who holds it.
pub(super) fn record(lease: &Lease) -> Record {
    let LeaseSpec {
        holder_identity,
        renew_time,
        lease_transitions,
        lease_duration_seconds,
        ..
    } = lease.spec.clone().unwrap_or_default();
    let secs = lease_duration_seconds.and_then(|secs| u64::try_from(secs).ok());
    Record {
        holder: holder_identity.unwrap_or_default(),
        renewed_at: renew_time.map(|MicroTime(at)| at),
        transitions: lease_transitions.unwrap_or_default(),
        duration: Duration::from_secs(secs.unwrap_or_default()),
    }
}

/// Where the holder says that it is reached.
pub(super) fn address(lease: &Lease) -> Option<&str> {
    let annotations = lease.metadata.annotations.as_ref()?;
    annotations.get(ADDRESS).map(String::as_str)
}

/// Now, as precise as a Lease can say it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// A Lease counts in seconds, and from one on.
fn whole_seconds(duration: Duration) -> i32 {
    let rounded_up = duration.as_millis().div_ceil(1_000).max(1);
    i32::try_from(rounded_up).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_up_to_what_a_lease_can_say() {
        for (millis, secs) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (15_000, 15)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), secs);
        }
    }

    #[test]
    fn an_empty_lease_is_nobodys() {
        assert_eq!(record(&Lease::default()), Record::default());
        assert_eq!(address(&Lease::default()), None);
    }
}
