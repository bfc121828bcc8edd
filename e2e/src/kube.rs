//! A real Kubernetes with the real KEDA, for tests in a network namespace of their own
//! (`scripts/in-namespace`).

mod cluster;
mod envoy_gateway;
mod front;
mod helm;
mod namespace;
mod node;
pub mod objects;
mod proxy;
mod scene;
mod shell;
mod wakegate;
mod watched;

pub use cluster::{Cluster, ClusterOptions, Crds, Program};
pub use envoy_gateway::{ENVOY_GATEWAY_NAMESPACE, envoy_gateway_chart, install_envoy_gateway};
pub use helm::{CHART, Helm};
pub use namespace::Namespace;
pub use node::{Node, NodeConfig};
pub use proxy::Host;
pub use scene::{SOON, Scene, Told, WAKE};
pub use shell::Shell;
pub use wakegate::{
    Certified, Replica, WAKEGATE_ACCOUNT, WAKEGATE_NAMESPACE, Wakegate, WakegateOptions,
};
pub use watched::Kind;
