//! Where a filter's gRPC streams go, as Envoy's `proxy_grpc_stream` takes it beside the name of a cluster: its message
//! `envoy.config.core.v3.GrpcService`.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct GrpcService {
    #[prost(message, optional, tag = "1")]
    envoy_grpc: Option<EnvoyGrpc>,
}

#[derive(Clone, PartialEq, Message)]
struct EnvoyGrpc {
    #[prost(string, tag = "1")]
    cluster_name: String,
    #[prost(string, tag = "2")]
    authority: String,
}

/// Streams to this cluster, with this `:authority`.
pub fn grpc_service(cluster: &str, authority: &str) -> Vec<u8> {
    let envoy_grpc = EnvoyGrpc {
        cluster_name: cluster.to_owned(),
        authority: authority.to_owned(),
    };
    let service = GrpcService {
        envoy_grpc: Some(envoy_grpc),
    };
    service.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_envoy_reads() {
        assert_eq!(grpc_service("a|b", "h"), b"\x0a\x08\x0a\x03a|b\x12\x01h");
    }
}
