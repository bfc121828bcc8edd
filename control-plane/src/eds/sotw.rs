//! The state-of-the-world protocol: each request has all names. A response may have some of them alone,
//! since an endpoint that is left out of it is not gone.

use std::{collections::BTreeSet, sync::Arc};

use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::{
    Shared,
    assignment::TYPE_URL,
    names::{Names, at},
};
use crate::push::Snapshots;

/// One Envoy's stream.
#[derive(Debug)]
pub(super) struct SotwSession {
    shared: Arc<Shared>,
    inbound: Streaming<DiscoveryRequest>,
    snapshots: Snapshots,
    names: Names,
    n_sent: u64,
}

impl SotwSession {
    pub(super) fn new(shared: Arc<Shared>, inbound: Streaming<DiscoveryRequest>) -> Self {
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
    pub(super) async fn next(&mut self) -> Option<Result<DiscoveryResponse, Status>> {
        loop {
            if let Some(response) = self.due() {
                return Some(Ok(response));
            }
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return None,
                request = self.inbound.message() => match request {
                    Ok(Some(request)) => {
                        if let Err(status) = self.on_request(&request) {
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

    fn due(&mut self) -> Option<DiscoveryResponse> {
        let snapshot = self.snapshots.borrow_and_update().clone()?;
        let due = self.names.take_due(Instant::now(), &snapshot);
        if due.is_empty() {
            return None;
        }
        self.n_sent += 1;
        self.shared.metrics.eds_sent();
        Some(DiscoveryResponse {
            version_info: snapshot.sequence.to_string(),
            resources: due
                .into_iter()
                .map(|(_, assignment)| assignment.resource)
                .collect(),
            type_url: TYPE_URL.to_owned(),
            nonce: self.n_sent.to_string(),
            ..DiscoveryResponse::default()
        })
    }

    fn on_request(&mut self, request: &DiscoveryRequest) -> Result<(), Status> {
        // Over ADS an Envoy asks for other types as well. There is nothing to say about them.
        if !matches!(request.type_url.as_str(), TYPE_URL | "") {
            tracing::debug!(type_url = request.type_url, "type is not served");
            return Ok(());
        }
        if let Some(error) = &request.error_detail {
            tracing::warn!(error = error.message, "endpoints were refused");
            self.shared.metrics.eds_refused();
        }
        // Requests come in order and each has all names, whichever response it acks.
        let wanted: BTreeSet<&str> = request.resource_names.iter().map(String::as_str).collect();
        self.names.retain(&wanted);
        for name in wanted {
            if !self.names.contains(name) {
                self.names.subscribe(name.to_owned(), None)?;
            }
        }
        Ok(())
    }
}
