//! The state-of-the-world protocol: each request has all names. A response may have some of them alone,
//! since an endpoint that is left out of it is not gone.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use tonic::Status;

use super::{
    assignment::{Assignment, TYPE_URL},
    names::Names,
    session::Protocol,
};

#[derive(Debug)]
pub(super) struct StateOfTheWorld;

impl Protocol for StateOfTheWorld {
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;

    fn about(request: &DiscoveryRequest) -> (&str, Option<&str>) {
        let refusal = request.error_detail.as_ref();
        (
            &request.type_url,
            refusal.map(|error| error.message.as_str()),
        )
    }

    fn subscribe(names: &mut Names, request: DiscoveryRequest) -> Result<(), Status> {
        // Requests come in order and each has all names, whichever response it acks.
        let wanted: BTreeSet<&str> = request.resource_names.iter().map(String::as_str).collect();
        names.retain(&wanted);
        for name in wanted {
            if !names.contains(name) {
                names.subscribe(name.to_owned(), None)?;
            }
        }
        Ok(())
    }

    fn response(
        due: Vec<(String, Assignment)>,
        version: String,
        nonce: String,
    ) -> DiscoveryResponse {
        let resources = due.into_iter().map(|(_, assignment)| assignment.resource);
        DiscoveryResponse {
            version_info: version,
            resources: resources.collect(),
            type_url: TYPE_URL.to_owned(),
            nonce,
            ..DiscoveryResponse::default()
        }
    }
}
