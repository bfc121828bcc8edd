//! A cluster, by the kubeconfig or from within.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use kube::{Client, Config, config::KubeConfigOptions};

/// An API server that does not take a connection in this time is away.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long an answer may be silent.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// A client of the API server that this context of the kubeconfig names, or the current one, or the one of the cluster
/// that this runs in.
///
/// # Errors
/// There is no kubeconfig, or it names no usable server.
pub(crate) async fn connect(context: Option<&str>) -> anyhow::Result<Client> {
    let mut config = match context {
        Some(context) => {
            let options = KubeConfigOptions {
                context: Some(context.to_owned()),
                ..KubeConfigOptions::default()
            };
            let config = Config::from_kubeconfig(&options).await;
            config.with_context(|| format!("read the context {context} of the kubeconfig"))?
        }
        // The error has its causes in its text already.
        None => Config::infer().await.map_err(|error| {
            anyhow!("find a cluster: set KUBECONFIG, or read files with -f PATH: {error}")
        })?,
    };
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout = Some(READ_LIMIT);
    let user_agent = concat!("wakegate/", env!("CARGO_PKG_VERSION"));
    let header = ("user-agent".parse()?, user_agent.parse()?);
    config.headers.push(header);
    Client::try_from(config).context("set up the client of the API server")
}

/// Tells whoever waits what goes on; nothing depends on whether anybody sees this.
pub(crate) fn say(words: &str) {
    drop(writeln!(io::stderr(), "wakegate: {words}"));
}
