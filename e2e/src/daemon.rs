//! Control plane and scaler: started, killed, started again where they were.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde::Deserialize;

use crate::client::{Answer, Version, fetch, get};
use crate::envoy::{Samples, samples};
use crate::eventually::{eventually, until};
use crate::process::Process;
use crate::programs;

const START_LIMIT: Duration = Duration::from_secs(20);
/// Above the daemons' own limit for draining.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Where a daemon listens; it writes this file itself.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Addresses {
    /// gRPC.
    pub grpc: SocketAddr,
    /// `/live`, `/ready`, `/metrics`.
    pub admin: SocketAddr,
    /// The filter's module over HTTP, of a control plane that serves it.
    #[serde(default)]
    pub module: Option<SocketAddr>,
}

/// A free port of the loopback device.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

impl Addresses {
    /// Free ports of the loopback device.
    pub const ANY: Self = Self {
        grpc: ANY_PORT,
        admin: ANY_PORT,
        module: None,
    };
}

/// What a daemon is told of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// All of them are in plain text.
    PlainText,
    /// Mutual TLS with the files of this folder.
    Tls(PathBuf),
    /// Nothing: a control plane makes an authority of its own.
    Unsaid,
}

/// One daemon, running or not.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    folder: PathBuf,
    args: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
    security: Security,
    process: Option<Process>,
    addresses: Addresses,
}

impl Daemon {
    /// Starts it on free ports with the flags in `args`, for connections in plain text.
    pub async fn start(name: &'static str, folder: &Path, args: Vec<String>) -> Result<Self> {
        Self::start_at(Addresses::ANY, name, folder, args).await
    }

    /// Starts it at `addresses` with the flags in `args`, for connections in plain text.
    pub async fn start_at(
        addresses: Addresses,
        name: &'static str,
        folder: &Path,
        args: Vec<String>,
    ) -> Result<Self> {
        let mut daemon = Self::stopped(name, folder, addresses).with(args, Vec::new());
        daemon.start_again().await?;
        Ok(daemon)
    }

    /// One that does not run: nobody answers at its addresses until it is started. Its connections will be in plain
    /// text.
    pub fn stopped(name: &'static str, folder: &Path, addresses: Addresses) -> Self {
        Self {
            name,
            folder: folder.to_owned(),
            args: Vec::new(),
            environment: Vec::new(),
            security: Security::PlainText,
            process: None,
            addresses,
        }
    }

    /// Sets its flags and variables, for the next start.
    #[must_use]
    pub fn with(mut self, args: Vec<String>, environment: Vec<(&'static str, OsString)>) -> Self {
        self.args = args;
        self.environment = environment;
        self
    }

    /// Sets how its connections are, for the next start.
    #[must_use]
    pub fn secured(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Starts it where it was before; returns when it listens.
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "{} runs already", self.name);
        let address_file = self.folder.join(format!("{}.address", self.name));
        if address_file.exists() {
            std::fs::remove_file(&address_file).context("remove the last address file")?;
        }
        let mut args = self.args.clone();
        args.extend([
            format!("--listen={}", self.addresses.grpc),
            format!("--admin-listen={}", self.addresses.admin),
            format!("--address-file={}", address_file.display()),
        ]);
        let program = programs::ours(self.name)?;
        let mut environment = self.environment.clone();
        match &self.security {
            Security::PlainText => environment.push(("WAKEGATE_PLAIN_TEXT", "true".into())),
            Security::Tls(folder) => args.push(format!("--tls-dir={}", folder.display())),
            Security::Unsaid => {}
        }
        let mut process = Process::start_with(&program, args, environment, &self.log_path())?;
        let text = process.address(&address_file, START_LIMIT).await?;
        self.addresses = serde_json::from_str(&text).context("read a daemon's addresses")?;
        self.process = Some(process);
        Ok(())
    }

    /// Waits for `/ready` to answer 200.
    pub async fn ready(&self) -> Result<()> {
        let what = format!("{} is ready", self.name);
        eventually(START_LIMIT, &what, async || {
            let answer = self.ask("/ready").await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await
        .context(self.tail())
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("it runs")?.kill()
    }

    /// Stalls it: its connections stay open, and nobody answers.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after a pause.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("it runs")?.signal(signal)
    }

    /// Tells it to end with SIGTERM, and waits for nothing; `terminate` does.
    pub fn ask_to_end(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Waits until it has ended after it was told to; an error when it does not end well and in time.
    pub async fn ended(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it runs")?;
        let ended = until(STOP_LIMIT, "its end", || process.ended().transpose());
        let status = ended.await??;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// Ends it with SIGTERM; an error when it does not end well and in time.
    pub async fn terminate(&mut self) -> Result<()> {
        let process = self.process.take().context("it runs")?;
        let status = process.terminate(STOP_LIMIT).await?;
        ensure!(
            status.success(),
            "{} ended with {status} after SIGTERM",
            self.name
        );
        Ok(())
    }

    /// An error when it has ended by itself.
    pub fn is_well(&mut self) -> Result<()> {
        let Some(process) = self.process.as_mut() else {
            return Ok(());
        };
        if let Some(status) = process.ended()? {
            bail!("{} ended with {status}", self.name);
        }
        Ok(())
    }

    /// Whether it was started and not ended by us.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// A GET on its admin endpoint.
    pub async fn ask(&self, path: &str) -> Result<Answer> {
        let request = get(&format!("http://localhost{path}"))?;
        fetch(Version::H1, self.addresses.admin, request).await
    }

    /// Its metrics.
    pub async fn samples(&self) -> Result<Samples> {
        samples(self.addresses.admin, "/metrics").await
    }

    /// What it logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Where its log is.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// The last lines of its log, for a message.
    pub fn tail(&self) -> String {
        self.process
            .as_ref()
            .map(|process| process.tail(30))
            .unwrap_or_default()
    }
}
