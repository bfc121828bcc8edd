//! Flags as typed, and what they mean.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use clap::Parser;
use wakegate_runtime::{AddressFile, LogArgs};

/// Pushes routes and readiness to Wakegate's filters, workloads to its scalers, endpoints to Envoy.
#[derive(Clone, Debug, Parser)]
#[command(name = "wakegate-control-plane", version)]
pub struct Args {
    /// The directory of manifests to read and to watch
    #[arg(long, env = "WAKEGATE_MANIFESTS", value_name = "DIR")]
    pub manifests: PathBuf,

    /// Where gRPC is served: routes, endpoints, health
    #[arg(
        long,
        env = "WAKEGATE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18000"
    )]
    pub listen: SocketAddr,

    /// Where /live, /ready, /metrics and /debug/routes are served
    #[arg(
        long,
        env = "WAKEGATE_ADMIN_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18001"
    )]
    pub admin_listen: SocketAddr,

    /// A file to write both addresses to, as JSON, once they are bound
    #[arg(long, env = "WAKEGATE_ADDRESS_FILE", value_name = "PATH")]
    pub address_file: Option<PathBuf>,

    /// How long streams may take to end on shutdown
    #[arg(
        long,
        env = "WAKEGATE_DRAIN_LIMIT_SECS",
        value_name = "SECONDS",
        default_value_t = 10
    )]
    pub drain_limit_secs: u64,

    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(flatten)]
    pub log: LogArgs,
}

/// What the flags mean.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory of manifests, absolute: events name their files so.
    pub manifests: PathBuf,
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where the admin server is.
    pub admin_listen: SocketAddr,
    /// The file that is told both addresses.
    pub address_file: Option<AddressFile>,
    /// The longest that a drain takes.
    pub drain_limit: Duration,
}

impl TryFrom<Args> for Config {
    type Error = anyhow::Error;

    fn try_from(args: Args) -> anyhow::Result<Self> {
        let Args {
            manifests,
            listen,
            admin_listen,
            address_file,
            drain_limit_secs,
            log: _,
        } = args;
        let shown = manifests.display().to_string();
        let manifests = manifests
            .canonicalize()
            .with_context(|| format!("--manifests {shown}"))?;
        ensure!(manifests.is_dir(), "--manifests {shown}: not a directory");
        Ok(Self {
            manifests,
            listen,
            admin_listen,
            address_file: address_file.map(AddressFile::new),
            drain_limit: Duration::from_secs(drain_limit_secs),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_hold_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn manifests_must_be_a_directory() {
        let args = Args::parse_from(["wakegate-control-plane", "--manifests", "/nowhere"]);
        let error = Config::try_from(args).unwrap_err();
        assert!(
            error.to_string().contains("--manifests /nowhere"),
            "{error:#}"
        );
    }
}
