//! The delta protocol: names come and go, and what changed is sent.

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource,
};
use tonic::Status;

use super::{
    assignment::{Assignment, TYPE_URL},
    names::Names,
    session::Protocol,
};

#[derive(Debug)]
pub(super) struct Delta;

impl Protocol for Delta {
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;

    fn about(request: &DeltaDiscoveryRequest) -> (&str, Option<&str>) {
        let refusal = request.error_detail.as_ref();
        (
            &request.type_url,
            refusal.map(|error| error.message.as_str()),
        )
    }

    fn subscribe(names: &mut Names, request: DeltaDiscoveryRequest) -> Result<(), Status> {
        for name in &request.resource_names_unsubscribe {
            names.unsubscribe(name);
        }
        let versions = request.initial_resource_versions;
        for name in request.resource_names_subscribe {
            // An Envoy that comes back names what it has; what is the same is not sent again.
            let has = versions.get(&name).and_then(|version| version.parse().ok());
            names.subscribe(name, has)?;
        }
        Ok(())
    }

    fn response(
        due: Vec<(String, Assignment)>,
        version: String,
        nonce: String,
    ) -> DeltaDiscoveryResponse {
        DeltaDiscoveryResponse {
            system_version_info: version,
            resources: due.into_iter().map(resource).collect(),
            type_url: TYPE_URL.to_owned(),
            nonce,
            ..DeltaDiscoveryResponse::default()
        }
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
