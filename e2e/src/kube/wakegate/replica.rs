//! One daemon of ours on a cluster.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::Mutex;

use crate::client::Answer;
use crate::daemon::{Addresses, Daemon};
use crate::kube::cluster::Cluster;

/// One daemon, which lives where the cluster does.
#[derive(Debug, Clone)]
pub struct Replica {
    addresses: Addresses,
    log: PathBuf,
    daemon: Arc<Mutex<Daemon>>,
}

impl Replica {
    pub(super) fn new(daemon: Daemon) -> Self {
        Self {
            addresses: daemon.addresses(),
            log: daemon.log_path(),
            daemon: Arc::new(Mutex::new(daemon)),
        }
    }

    pub(super) async fn is_well(&self) -> Result<()> {
        self.daemon.lock().await.is_well()
    }

    /// Where it listens, also while it does not run.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Starts it where it was; returns when it listens.
    pub async fn start(&self, cluster: &Cluster) -> Result<()> {
        let daemon = Arc::clone(&self.daemon);
        let start = async move { daemon.lock().await.start_again().await };
        cluster.at_home(start).await
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) -> Result<()> {
        self.daemon.lock().await.ready().await
    }

    /// Ends it at once, as a crash would.
    pub async fn kill(&self) -> Result<()> {
        self.daemon.lock().await.kill()
    }

    /// Stalls it: its connections stay open, and nobody answers.
    pub async fn pause(&self) -> Result<()> {
        self.daemon.lock().await.pause()
    }

    /// Lets it go on after a pause.
    pub async fn resume(&self) -> Result<()> {
        self.daemon.lock().await.resume()
    }

    /// Ends it as a rollout does.
    pub async fn terminate(&self) -> Result<()> {
        self.daemon.lock().await.terminate().await
    }

    /// A GET on its admin endpoint.
    pub async fn ask(&self, path: &str) -> Result<Answer> {
        self.daemon.lock().await.ask(path).await
    }

    /// The sum of its samples of one metric.
    pub async fn counted(&self, name: &str) -> Result<f64> {
        Ok(self.daemon.lock().await.samples().await?.sum(name))
    }

    /// What it logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(super) fn tail(&self, n_lines: usize, what: Option<&str>) -> String {
        let log = self.log();
        let lines = log.lines();
        let lines: Vec<_> = lines
            .filter(|line| what.is_none_or(|what| line.contains(what)))
            .collect();
        let tail = lines.get(lines.len().saturating_sub(n_lines)..);
        let tail = tail.unwrap_or_default().join("\n");
        format!("--- {}\n{tail}\n", self.log.display())
    }
}
