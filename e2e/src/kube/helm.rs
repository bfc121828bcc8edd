//! helm, as a user runs it, with the chart of this repository.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time;

use super::cluster::Cluster;
use crate::programs;

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/wakegate");

/// For one call; helm has limits of its own, which are shorter.
const LIMIT: Duration = Duration::from_mins(4);

/// helm with the administrator's credentials.
#[derive(Debug)]
pub struct Helm {
    path: PathBuf,
    kubeconfig: PathBuf,
    /// Apart from the user's.
    home: PathBuf,
}

impl Helm {
    /// For one cluster.
    pub fn of(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            path: programs::helm()?,
            kubeconfig: cluster.kubeconfig(),
            home: cluster.folder().join("helm"),
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What tells it its cluster and its folders.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("HELM_CACHE_HOME", self.home.join("cache")),
            ("HELM_CONFIG_HOME", self.home.join("config")),
            ("HELM_DATA_HOME", self.home.join("data")),
            ("KUBECONFIG", self.kubeconfig.clone()),
        ]
    }

    /// What it prints; an error with what it says when it fails.
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let line = format!("helm {}", args.join(" "));
        let mut command = Command::new(&self.path);
        command.args(args).kill_on_drop(true);
        command.envs(self.environment());
        let output = time::timeout(LIMIT, command.output())
            .await
            .with_context(|| format!("not within {LIMIT:?}: {line}"))?
            .context("start helm")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
