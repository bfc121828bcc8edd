//! The delta protocol: names come and go, and what changed is sent.

use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource,
};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::{
    Shared,
    assignment::{Assignment, TYPE_URL},
    names::{Names, at},
};
use crate::push::Snapshots;

/// One Envoy's stream.
#[derive(Debug)]
pub(super) struct DeltaSession {
    shared: Arc<Shared>,
    inbound: Streaming<DeltaDiscoveryRequest>,
    snapshots: Snapshots,
    names: Names,
    n_sent: u64,
}

impl DeltaSession {
    pub(super) fn new(shared: Arc<Shared>, inbound: Streaming<DeltaDiscoveryRequest>) -> Self {
        let snapshots = shared.snapshots.clone();
        Self {
            shared,
            inbound,
            snapshots,
            names: Names::default(),
            n_sent: 0,
        }
    }

    /// What is sent next; nothing when the stream ends well.
    pub(super) async fn next(&mut self) -> Option<Result<DeltaDiscoveryResponse, Status>> {
        loop {
            if let Some(response) = self.due() {
                return Some(Ok(response));
            }
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return None,
                request = self.inbound.message() => match request {
                    Ok(Some(request)) => {
                        if let Err(status) = self.on_request(request) {
                            return Some(Err(status));
                        }
                    }
                    Ok(None) | Err(_) => return None,
                },
                () = at(self.names.next_due()) => {}
                changed = self.snapshots.changed() => if changed.is_err() { return None },
            }
        }
    }

    fn due(&mut self) -> Option<DeltaDiscoveryResponse> {
        let snapshot = self.snapshots.borrow_and_update().clone()?;
        let due = self.names.take_due(Instant::now(), &snapshot);
        if due.is_empty() {
            return None;
        }
        self.n_sent += 1;
        self.shared.metrics.eds_sent();
        Some(DeltaDiscoveryResponse {
            system_version_info: snapshot.sequence.to_string(),
            resources: due.into_iter().map(resource).collect(),
            type_url: TYPE_URL.to_owned(),
            nonce: self.n_sent.to_string(),
            ..DeltaDiscoveryResponse::default()
        })
    }

    fn on_request(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Status> {
        // Over ADS an Envoy asks for other types as well. There is nothing to say about them.
        if !matches!(request.type_url.as_str(), TYPE_URL | "") {
            tracing::debug!(type_url = request.type_url, "type is not served");
            return Ok(());
        }
        if let Some(error) = &request.error_detail {
            tracing::warn!(error = error.message, "endpoints were refused");
            self.shared.metrics.eds_refused();
        }
        for name in &request.resource_names_unsubscribe {
            self.names.unsubscribe(name);
        }
        let versions = request.initial_resource_versions;
        for name in request.resource_names_subscribe {
            // An Envoy that comes back names what it has; what is the same is not sent again.
            let has = versions.get(&name).and_then(|version| version.parse().ok());
            self.names.subscribe(name, has)?;
        }
        Ok(())
    }
}

fn resource((name, assignment): (String, Assignment)) -> Resource {
    Resource {
        name,
        version: assignment.version.to_string(),
        resource: Some(assignment.resource),
        ..Resource::default()
    }
}
