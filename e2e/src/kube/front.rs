//! One address for the control planes, as their Service is.

use std::net::SocketAddr;

use anyhow::Result;

use super::cluster::Cluster;
use crate::front::Front;

/// Listens at `address` until what it returns is dropped.
pub(super) async fn start(
    cluster: &Cluster,
    address: SocketAddr,
    backends: Vec<SocketAddr>,
) -> Result<Front> {
    cluster.at_home(Front::start_at(address, backends)).await
}
