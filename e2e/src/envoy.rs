//! A real Envoy: its configuration, its process, and what its admin endpoint tells.

mod admin;
mod clusters;
mod config;
mod filter;
mod tls;
mod virtual_host;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::eventually::{eventually, eventually_is};
use crate::process::Process;
use crate::programs;

pub use admin::{Admin, Samples, samples};
pub use clusters::EndpointsFrom;
pub use config::EnvoyConfig;
pub use filter::{FilterConfig, Module};
pub use tls::EnvoyTls;
pub use virtual_host::{EnvoyRoute, VirtualHost};

/// Compiling the filter for three VMs on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// From a control plane that is ready to a table in every filter VM.
const TABLE_LIMIT: Duration = Duration::from_secs(20);

/// What a dead filter VM leaves in Envoy's log.
const SIGNS_OF_DEATH: [&str; 5] = [
    "panicked at",
    "Maximum call stack",
    "Function: proxy_on",
    "Wasm VM failed",
    "RuntimeError",
];

/// An Envoy that runs.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: Admin,
    address: SocketAddr,
    access_log: PathBuf,
}

impl Envoy {
    /// Starts Envoy with `config`, its files in `folder`; returns when it takes connections.
    pub async fn start(config: &EnvoyConfig, folder: &Path) -> Result<Self> {
        let config_file = folder.join("envoy.json");
        let access_log = folder.join("access.log");
        if config.listener_from.is_some() {
            config.write_listener(&access_log)?;
        }
        let text = serde_json::to_string_pretty(&config.bootstrap(&access_log))?;
        std::fs::write(&config_file, text).context("write Envoy's configuration")?;
        let admin_file = folder.join("envoy-admin.address");
        if admin_file.exists() {
            std::fs::remove_file(&admin_file).context("remove the last address file")?;
        }
        let args = [
            "--config-path",
            &config_file.to_string_lossy(),
            "--admin-address-path",
            &admin_file.to_string_lossy(),
            "--concurrency",
            &config.n_workers.to_string(),
            "--use-dynamic-base-id",
            // The access log is to be read while Envoy runs.
            "--file-flush-interval-msec",
            "100",
            "--log-level",
            "info",
            "--drain-time-s",
            &config.drain_time.as_secs().to_string(),
            // Must be longer; only a hot restart would wait for it.
            "--parent-shutdown-time-s",
            &(config.drain_time.as_secs() + 1).to_string(),
        ]
        .map(str::to_owned);
        let log = folder.join("envoy.log");
        let mut process = Process::start(&programs::envoy()?, args, &log)?;
        let admin = process.address(&admin_file, START_LIMIT).await?;
        let admin = Admin::new(admin.trim().parse().context("read Envoy's admin address")?);
        let address = eventually(START_LIMIT, "Envoy takes connections", async || {
            if let Ok(Some(status)) = process.ended() {
                return Some(Err(anyhow::anyhow!("Envoy ended with {status}")));
            }
            let is_live = admin.is_live().await;
            if is_live {
                admin.listener().await.map(Ok)
            } else {
                None
            }
        });
        let address = match address.await {
            Ok(address) => address,
            Err(error) => Err(error),
        };
        let address = address.with_context(|| process.tail(40))?;
        Ok(Self {
            process,
            admin,
            address,
            access_log,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The admin endpoint.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The access log: one JSON object for each request that ended.
    pub fn access_log(&self) -> Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(&self.access_log).context("read the access log")?;
        let lines = text.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .context("parse the access log")
    }

    /// What the filter counts under `wakegate_<name>`, over all workers.
    pub async fn counted(&self, name: &str) -> Result<u64> {
        let samples = self.admin.samples().await?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole numbers; one below zero saturates and fails what it is compared with"
        )]
        let count = samples.sum(&format!("wakegate_{name}")) as u64;
        Ok(count)
    }

    /// Waits until exactly so many requests are held, over all workers.
    pub async fn held_is(&self, n_held: usize, deadline: Duration) -> Result<()> {
        let expected = u64::try_from(n_held)?;
        let look = async || self.counted("held").await;
        eventually_is(deadline, "requests held", expected, look).await
    }

    /// Waits until the filters of `n_workers` hear from the control plane and have a table with something in it.
    pub async fn every_worker_has_a_table(&self, n_workers: u32) -> Result<()> {
        self.every_worker_is_connected(n_workers).await?;
        eventually(TABLE_LIMIT, "every worker has a table", async || {
            let samples = self.admin.samples().await.ok()?;
            (samples.sum("wakegate_table_version") > 0.0).then_some(())
        })
        .await
    }

    /// Waits until the filters of `n_workers` hear from the control plane, if only that there is nothing for them.
    pub async fn every_worker_is_connected(&self, n_workers: u32) -> Result<()> {
        eventually(TABLE_LIMIT, "every worker is connected", async || {
            let samples = self.admin.samples().await.ok()?;
            let n_connected = samples.sum("wakegate_control_plane_connected");
            (n_connected >= f64::from(n_workers)).then_some(())
        })
        .await
    }

    /// An error when a filter VM has died.
    pub fn is_well(&self) -> Result<()> {
        let log = self.process.log();
        let sign = log
            .lines()
            .find(|line| SIGNS_OF_DEATH.iter().any(|sign| line.contains(sign)));
        ensure!(
            sign.is_none(),
            "a filter VM died: {}",
            sign.unwrap_or_default()
        );
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to end, and waits.
    pub async fn terminate(self, deadline: Duration) -> Result<()> {
        self.process.terminate(deadline).await.map(drop)
    }
}
