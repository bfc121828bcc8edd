//! A name and a snapshot -> the assignment that Envoy gets.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::SocketAddr,
};

use envoy_types::pb::{
    envoy::config::{
        core::v3::{Address, HealthStatus, SocketAddress, address, socket_address},
        endpoint::v3::{
            ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
        },
    },
    google::protobuf::Any,
};
use prost::Message as _;

use crate::{index::ServiceId, snapshot::Snapshot};

/// What an assignment is called.
pub(super) const TYPE_URL: &str =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

/// The assignment of one name.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    /// The same for the same content, also after a restart of the same release.
    pub(super) version: u64,
    /// Whether it has no endpoint.
    pub(super) is_empty: bool,
    pub(super) resource: Any,
}

/// The Service and the port, by number or name, that a resource name stands for.
pub(super) fn service_of(name: &str) -> Option<(ServiceId, &str)> {
    let mut parts = name.split('/');
    let (namespace, service, port) = (parts.next()?, parts.next()?, parts.next()?);
    let id = ServiceId {
        namespace: namespace.into(),
        name: service.into(),
    };
    parts.next().is_none().then_some((id, port))
}

pub(super) fn assignment(name: &str, snapshot: &Snapshot) -> Assignment {
    let port =
        service_of(name).and_then(|(service, port)| snapshot.services.get(&service)?.port(port));
    let addresses = port.into_iter().flat_map(|port| &port.addresses);
    let lb_endpoints: Vec<LbEndpoint> = addresses.map(lb_endpoint).collect();
    let locality = LocalityLbEndpoints {
        lb_endpoints,
        ..LocalityLbEndpoints::default()
    };
    let is_empty = locality.lb_endpoints.is_empty();
    let localities = if is_empty { Vec::new() } else { vec![locality] };
    let assignment = ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: localities,
        ..ClusterLoadAssignment::default()
    };
    let value = assignment.encode_to_vec();
    // No secret and no peer depends on this hash: it only tells one content from the next.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let resource = Any {
        type_url: TYPE_URL.to_owned(),
        value,
    };
    Assignment {
        version: hasher.finish(),
        is_empty,
        resource,
    }
}

fn lb_endpoint(address: &SocketAddr) -> LbEndpoint {
    let socket_address = SocketAddress {
        address: address.ip().to_string(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(
            address.port().into(),
        )),
        ..SocketAddress::default()
    };
    let address = Address {
        address: Some(address::Address::SocketAddress(socket_address)),
    };
    let endpoint = Endpoint {
        address: Some(address),
        ..Endpoint::default()
    };
    LbEndpoint {
        health_status: HealthStatus::Healthy.into(),
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..LbEndpoint::default()
    }
}
