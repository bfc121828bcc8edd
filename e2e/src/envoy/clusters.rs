//! The clusters of Envoy's configuration: the two daemons, and an app each with its endpoints.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::config::socket;
use super::filter::CONTROL_PLANE;
use crate::manifests::Service;

const HTTP_OPTIONS: &str =
    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Where Envoy learns the endpoints of the apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointsFrom {
    /// The control plane's EDS, by differences.
    Delta,
    /// The control plane's EDS, state of the world.
    StateOfTheWorld,
    /// A file per service that a test writes: an Envoy that learns later than the filter.
    Files(PathBuf),
}

/// The cluster of control planes or of a scaler.
pub(super) fn of_daemon(
    name: &str,
    addresses: &[SocketAddr],
    transport_socket: Option<Value>,
) -> Value {
    let addresses = addresses.iter();
    let endpoints: Vec<_> = addresses
        .map(|address| json!({ "endpoint": { "address": socket(*address) } }))
        .collect();
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [ { "lb_endpoints": endpoints } ],
        },
        "typed_extension_protocol_options": http_options(&json!({
            "explicit_http_config": { "http2_protocol_options": {
                // A peer that vanished without a word is noticed.
                "connection_keepalive": { "interval": "5s", "timeout": "3s" },
            } },
        })),
    });
    if let (Some(cluster), Some(socket)) = (cluster.as_object_mut(), transport_socket) {
        cluster.insert("transport_socket".to_owned(), socket);
    }
    cluster
}

/// The cluster of who serves the filter's module, by HTTP/1.1.
pub(super) fn of_module(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [ { "lb_endpoints": [ { "endpoint": { "address": socket(address) } } ] } ],
        },
    })
}

/// The cluster of one backend.
pub(super) fn of_app(name: &str, endpoints: &EndpointsFrom) -> Value {
    let eds_config = match endpoints {
        EndpointsFrom::Delta => by_grpc("DELTA_GRPC"),
        EndpointsFrom::StateOfTheWorld => by_grpc("GRPC"),
        EndpointsFrom::Files(folder) => json!({
            "resource_api_version": "V3",
            "path_config_source": { "path": endpoints_file(folder, name) },
        }),
    };
    json!({
        "name": name,
        "type": "EDS",
        // Envoy's default: on a busy machine a worker may not come to its events for a second.
        "connect_timeout": "5s",
        "eds_cluster_config": {
            "service_name": name,
            "eds_config": eds_config,
        },
        "typed_extension_protocol_options": http_options(&json!({
            // HTTP/2 in, h2c out: gRPC and WebSocket find what they need.
            "use_downstream_protocol_config": {
                "http_protocol_options": {},
                "http2_protocol_options": { "max_concurrent_streams": 20_000 },
            },
        })),
    })
}

/// The file that EDS by files reads for a cluster.
pub(super) fn endpoints_file(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(format!("{}.json", cluster.replace('/', ".")))
}

/// One response of EDS, as a file holds it.
pub(super) fn endpoints_response(service: &Service, endpoint: Option<SocketAddr>) -> Value {
    let endpoints: Vec<_> = endpoint
        .into_iter()
        .map(
            |address| json!({ "lb_endpoints": [ { "endpoint": { "address": socket(address) } } ] }),
        )
        .collect();
    json!({ "resources": [ {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": service.backend(),
        "endpoints": endpoints,
    } ] })
}

fn by_grpc(api_type: &str) -> Value {
    json!({
        "resource_api_version": "V3",
        // A control plane that is away must not keep Envoy from starting for long.
        "initial_fetch_timeout": "2s",
        "api_config_source": {
            "api_type": api_type,
            "transport_api_version": "V3",
            "grpc_services": [ { "envoy_grpc": { "cluster_name": CONTROL_PLANE } } ],
        },
    })
}

fn http_options(options: &Value) -> Value {
    let mut options = options.clone();
    if let Some(options) = options.as_object_mut() {
        options.insert("@type".to_owned(), json!(HTTP_OPTIONS));
    }
    json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options })
}
