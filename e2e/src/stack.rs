//! A whole Wakegate: control plane, scaler, Envoy with the filter, and a directory of manifests.
//! Every test has its own, in a folder of its own, on ports of its own.

mod build;
mod replicas;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::app::{App, AppCommand};
use crate::autoscaler::{Autoscaler, ScaledObject};
use crate::client::{Answer, Version, fetch, get};
use crate::daemon::Daemon;
use crate::envoy::{Envoy, EnvoyConfig};
use crate::manifests::{Manifests, Service};
use crate::tls::{Certificates, Link, Role};

pub use build::StackBuilder;
use replicas::Fronts;

/// The running stack. Without `finish`, its drop prints the logs: the test has failed.
#[derive(Debug)]
pub struct Stack {
    /// The control plane; not running in a stack without one.
    pub control_plane: Daemon,
    /// The scaler; not running in a stack without one.
    pub scaler: Daemon,
    /// The other control planes.
    pub more_control_planes: Vec<Daemon>,
    /// The other scalers.
    pub more_scalers: Vec<Daemon>,
    fronts: Fronts,
    /// Envoy, until it was killed.
    pub envoy: Option<Envoy>,
    /// The manifests that the control plane reads.
    pub manifests: Manifests,
    envoy_config: EnvoyConfig,
    certificates: Option<Certificates>,
    folder: Folder,
    is_finished: bool,
}

/// A temporary folder, or one that stays.
#[derive(Debug)]
enum Folder {
    Temporary(Option<TempDir>),
    Kept(PathBuf),
}

impl Stack {
    /// A stack with the defaults: two workers, EDS by differences, nothing served yet.
    pub fn builder() -> StackBuilder {
        StackBuilder::default()
    }

    /// A stack that serves these.
    pub async fn of(services: &[&Service]) -> Result<Self> {
        let services = services.iter().map(|service| (*service).clone());
        services
            .fold(Self::builder(), StackBuilder::serve)
            .start()
            .await
    }

    /// The folder of configuration and logs.
    pub fn folder(&self) -> &Path {
        match &self.folder {
            Folder::Temporary(folder) => folder.as_ref().map_or(Path::new(""), TempDir::path),
            Folder::Kept(folder) => folder,
        }
    }

    /// How Envoy was configured: to start another that is like it.
    pub fn envoy_config(&self) -> &EnvoyConfig {
        &self.envoy_config
    }

    /// What the parts show to each other, in a stack with TLS.
    pub fn certificates(&self) -> Result<&Certificates> {
        self.certificates.as_ref().context("a stack with TLS")
    }

    /// How KEDA reaches the scaler.
    pub fn keda_link(&self) -> Result<Link> {
        let address = self.scaler_address();
        let certificates = self.certificates.as_ref();
        certificates.map_or(Ok(address.into()), |it| it.link(address, Role::Keda))
    }

    /// Envoy.
    pub fn envoy(&self) -> Result<&Envoy> {
        self.envoy.as_ref().context("Envoy runs")
    }

    /// Where clients connect.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.envoy()?.address())
    }

    /// A GET through Envoy, on a connection of its own.
    pub async fn get(&self, service: &Service, path: &str) -> Result<Answer> {
        fetch(Version::H1, self.address()?, get(&service.url(path))?).await
    }

    /// How to start sample apps in this stack's folder.
    pub fn sample_app(&self) -> AppCommand {
        AppCommand::sample(self.folder())
    }

    /// An autoscaler for a service with the short intervals of a test.
    pub fn autoscale(&self, service: &Service) -> Result<Autoscaler> {
        self.autoscale_all(vec![ScaledObject::new(service, self.sample_app())])
    }

    /// An autoscaler for several.
    pub fn autoscale_all(&self, objects: Vec<ScaledObject>) -> Result<Autoscaler> {
        Autoscaler::start(self.keda_link()?, &self.manifests, objects)
    }

    /// Kills Envoy; its requests are lost.
    pub fn kill_envoy(&mut self) -> Result<()> {
        self.envoy.take().context("Envoy runs")?.kill()
    }

    /// Starts Envoy anew with the same configuration.
    pub async fn start_envoy(&mut self) -> Result<()> {
        ensure!(self.envoy.is_none(), "Envoy runs already");
        self.envoy = Some(Envoy::start(&self.envoy_config, self.folder()).await?);
        Ok(())
    }

    /// One more Envoy that serves the same, as another proxy.
    pub async fn another_envoy(&self, node_id: &str) -> Result<Envoy> {
        let folder = self.folder().join(node_id);
        std::fs::create_dir_all(&folder).context("make a folder")?;
        let config = EnvoyConfig {
            node_id: node_id.to_owned(),
            ..self.envoy_config.clone()
        };
        Envoy::start(&config, &folder).await
    }

    /// What Envoy counts under `wakegate_<name>`, over all workers.
    pub async fn counted(&self, name: &str) -> Result<u64> {
        self.envoy()?.counted(name).await
    }

    /// Waits until exactly so many requests are held, over all workers.
    pub async fn held_is(&self, n_held: usize, deadline: Duration) -> Result<()> {
        self.envoy()?.held_is(n_held, deadline).await
    }

    /// Starts a sample app for `service` and puts its endpoint into the manifests.
    pub async fn wake(&self, service: &Service) -> Result<App> {
        let app = self.sample_app().start(&service.name).await?;
        self.manifests.put_endpoint(service, Some(app.address()))?;
        Ok(app)
    }

    /// An error when a daemon has ended or a filter VM has died.
    pub fn is_well(&mut self) -> Result<()> {
        for daemon in self.control_planes() {
            daemon.is_well()?;
        }
        for daemon in self.scalers() {
            daemon.is_well()?;
        }
        self.envoy.as_ref().map_or(Ok(()), Envoy::is_well)
    }

    /// The end of a test that has passed: all programs are well, and end well when told to.
    pub async fn finish(mut self) -> Result<()> {
        self.is_well()?;
        if let Some(envoy) = self.envoy.take() {
            envoy.terminate(Duration::from_secs(10)).await?;
        }
        let more = self
            .more_scalers
            .iter_mut()
            .chain(&mut self.more_control_planes);
        for daemon in more.chain([&mut self.scaler, &mut self.control_plane]) {
            if daemon.is_running() {
                daemon.terminate().await?;
            }
        }
        self.is_finished = true;
        Ok(())
    }

    /// The last lines of every log in the folder.
    pub fn logs(&self, n_lines: usize) -> String {
        let Ok(entries) = std::fs::read_dir(self.folder()) else {
            return String::new();
        };
        let mut logs: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.sort();
        let tails = logs.iter().map(|path| {
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<_> = text.lines().collect();
            let tail = lines
                .get(lines.len().saturating_sub(n_lines)..)
                .unwrap_or_default();
            format!("--- {}\n{}\n", path.display(), tail.join("\n"))
        });
        tails.collect()
    }
}

impl Drop for Stack {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failed test"
    )]
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let n_lines = 60;
        eprintln!(
            "the stack ended early; the last {n_lines} lines of each log:\n{}",
            self.logs(n_lines)
        );
        if let Folder::Temporary(folder) = &mut self.folder {
            let kept = folder.take().map(TempDir::keep);
            eprintln!("all of it is in {}", kept.unwrap_or_default().display());
        }
    }
}
