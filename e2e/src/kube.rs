//! A real Kubernetes with the real KEDA, for tests in a network namespace of their own
//! (`scripts/in-namespace`).

mod cluster;
mod namespace;

pub use cluster::{Cluster, ClusterOptions, Program};
pub use namespace::Namespace;
