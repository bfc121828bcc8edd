//! Pods, as processes: a sample app per replica, its endpoint in the manifests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::process::Process;
use crate::programs;

/// Starting a process on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How to start the app.
#[derive(Debug, Clone)]
pub struct AppCommand {
    folder: PathBuf,
    args: Vec<String>,
}

/// One app that runs and answers.
#[derive(Debug)]
pub struct App {
    process: Process,
    address: SocketAddr,
}

impl AppCommand {
    /// The sample app, with its log and its address file in `folder`.
    pub fn sample(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            args: Vec::new(),
        }
    }

    /// Adds flags.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Starts the app as `name`; returns when it listens.
    pub async fn start(&self, name: &str) -> Result<App> {
        let address_file = self.folder.join(format!("{name}.address"));
        if address_file.exists() {
            std::fs::remove_file(&address_file).context("remove the last address file")?;
        }
        let program = programs::ours("sample-app")?;
        let own_args = ["--address-file", &address_file.to_string_lossy()].map(str::to_owned);
        let log = self.folder.join(format!("{name}.log"));
        let mut process = Process::start(&program, own_args.iter().chain(&self.args), &log)?;
        let address = process.address(&address_file, START_LIMIT).await?;
        let address = address.parse().context("read the app's address")?;
        Ok(App { process, address })
    }
}

impl App {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_ok_and(|ended| ended.is_none())
    }

    /// Stalls it: its connections stay open, and nobody answers.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on after a pause.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Ends it as a kubelet does: SIGTERM, then KILL after `grace`.
    pub async fn stop(self, grace: Duration) -> Result<()> {
        let status = self.process.terminate(grace).await?;
        ensure!(status.success(), "the app ended with {status}");
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }
}
