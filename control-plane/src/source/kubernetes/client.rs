//! The client of the API server.

use std::time::Duration;

use anyhow::Context as _;
use kube::{Client, Config};

/// An API server that does not take a connection in this time is away; the next attempt may find
/// another one behind the same name.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an answer may be silent. Above the time after which the server ends a watch by itself: only
/// one whose end never arrives is cut.
const READ_LIMIT: Duration = Duration::from_secs(super::watch::WATCH_SECS as u64 + 10);

/// A client by KUBECONFIG, else by the service account of the pod; nothing is asked of the API server yet.
///
/// # Errors
/// There is neither, or it cannot be used.
pub async fn connect() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context(
        "find an API server: set KUBECONFIG, run in a cluster, or read files with --manifests DIR",
    )?;
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout = Some(READ_LIMIT);
    // Each caller tries again in its own time, and says so.
    config.default_retry = false;
    let user_agent = concat!("wakegate-control-plane/", env!("CARGO_PKG_VERSION"));
    let header = ("user-agent".parse()?, user_agent.parse()?);
    config.headers.push(header);
    tracing::info!(server = %config.cluster_url, "reading from an API server");
    Client::try_from(config).context("set up the client of the API server")
}
