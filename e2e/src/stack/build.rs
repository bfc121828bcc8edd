//! Putting a stack together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Folder, Stack};
use crate::daemon::{ANY_PORT, Addresses, Daemon};
use crate::envoy::{EndpointsFrom, EnvoyConfig, FilterConfig, VirtualHost};
use crate::manifests::{Manifests, Service};
use crate::process::free_address;
use crate::programs;

/// What a stack shall be like.
#[derive(Debug, Clone)]
pub struct StackBuilder {
    services: Vec<Service>,
    files: Vec<(String, Vec<u8>)>,
    listen: SocketAddr,
    admin: SocketAddr,
    control_plane: Addresses,
    scaler: Addresses,
    n_workers: u32,
    has_filter: bool,
    daemons: Daemons,
    settings: Value,
    is_discovered: bool,
    late_endpoints: bool,
    endpoints: EndpointsFrom,
    stream_idle_timeout: Duration,
    buffer_limit: Option<u32>,
    folder: Option<PathBuf>,
}

/// Who is at the other end of the filter's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Daemons {
    Real,
    Peer(SocketAddr),
    None,
}

impl Default for StackBuilder {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            files: Vec::new(),
            listen: ANY_PORT,
            admin: ANY_PORT,
            control_plane: Addresses::ANY,
            scaler: Addresses::ANY,
            n_workers: 2,
            has_filter: true,
            daemons: Daemons::Real,
            settings: json!({}),
            is_discovered: false,
            late_endpoints: false,
            endpoints: EndpointsFrom::Delta,
            // The default hold limit is 60 s.
            stream_idle_timeout: Duration::from_secs(90),
            buffer_limit: None,
            folder: None,
        }
    }
}

impl StackBuilder {
    /// Serves one more Service.
    #[must_use]
    pub fn serve(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Puts one more file among the manifests before anything starts.
    #[must_use]
    pub fn manifest(mut self, file: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.push((file.to_owned(), text.into()));
        self
    }

    /// Where Envoy takes connections, and where its admin endpoint is.
    #[must_use]
    pub fn listen(mut self, clients: SocketAddr, admin: SocketAddr) -> Self {
        self.listen = clients;
        self.admin = admin;
        self
    }

    /// Where the daemons listen.
    #[must_use]
    pub fn daemons(mut self, control_plane: Addresses, scaler: Addresses) -> Self {
        self.control_plane = control_plane;
        self.scaler = scaler;
        self
    }

    /// Envoy's worker threads.
    #[must_use]
    pub fn workers(mut self, n_workers: u32) -> Self {
        self.n_workers = n_workers;
        self
    }

    /// Envoy without the filter.
    #[must_use]
    pub fn without_filter(mut self) -> Self {
        self.has_filter = false;
        self
    }

    /// Neither control plane nor scaler: their addresses answer nobody. Endpoints come by file.
    #[must_use]
    pub fn without_control_plane(mut self) -> Self {
        self.daemons = Daemons::None;
        self.late_endpoints = true;
        self
    }

    /// Instead of both daemons, a `Peer` of the test's. Endpoints come by file.
    #[must_use]
    pub fn peer(mut self, address: SocketAddr) -> Self {
        self.daemons = Daemons::Peer(address);
        self.late_endpoints = true;
        self
    }

    /// Fields of the filter's configuration.
    #[must_use]
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// The filter's configuration can change while Envoy runs, see `Stack::put_settings`.
    #[must_use]
    pub fn discovered(mut self) -> Self {
        self.is_discovered = true;
        self
    }

    /// EDS state of the world instead of differences.
    #[must_use]
    pub fn state_of_the_world(mut self) -> Self {
        self.endpoints = EndpointsFrom::StateOfTheWorld;
        self
    }

    /// Envoy's endpoints come from files that the test writes, see `Stack::put_envoy_endpoint`.
    #[must_use]
    pub fn endpoints_by_file(mut self) -> Self {
        self.late_endpoints = true;
        self
    }

    /// Ends streams on which nothing happens; must be above the longest hold.
    #[must_use]
    pub fn stream_idle_timeout(mut self, span: Duration) -> Self {
        self.stream_idle_timeout = span;
        self
    }

    /// What one client connection may buffer.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: u32) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// A folder that stays, instead of a temporary one.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Starts everything; returns when every filter VM has the table.
    pub async fn start(self) -> Result<Stack> {
        let folder = match &self.folder {
            Some(folder) => Folder::Kept(folder.clone()),
            None => Folder::Temporary(Some(
                tempfile::Builder::new()
                    .prefix("wakegate-")
                    .tempdir()
                    .context("make a folder")?,
            )),
        };
        let root = match &folder {
            Folder::Kept(folder) => folder.clone(),
            Folder::Temporary(folder) => folder.as_ref().context("made above")?.path().to_owned(),
        };
        let manifests = Manifests::in_folder(&root.join("manifests"))?;
        for service in &self.services {
            manifests.put(service)?;
        }
        for (file, text) in &self.files {
            manifests.write(file, text)?;
        }
        let (control_plane, scaler) = self.start_daemons(&root, &manifests).await?;
        let envoy_config = self.envoy_config(&root, &control_plane, &scaler)?;
        let mut stack = Stack {
            control_plane,
            scaler,
            envoy: None,
            manifests,
            envoy_config,
            folder,
            is_finished: false,
        };
        for service in self.services.iter().filter(|_| self.late_endpoints) {
            stack.put_envoy_endpoint(service, None)?;
        }
        if self.is_discovered {
            stack.put_settings(&self.settings)?;
        }
        stack.start_envoy().await?;
        if self.daemons != Daemons::None && self.has_filter {
            stack.every_worker_has_the_table().await?;
        }
        Ok(stack)
    }

    async fn start_daemons(&self, root: &Path, manifests: &Manifests) -> Result<(Daemon, Daemon)> {
        let elsewhere = match self.daemons {
            Daemons::Real => None,
            Daemons::Peer(grpc) => Some(Addresses {
                grpc,
                admin: free_address()?,
            }),
            Daemons::None => Some(Addresses {
                grpc: free_address()?,
                admin: free_address()?,
            }),
        };
        if let Some(addresses) = elsewhere {
            return Ok((
                Daemon::stopped("wakegate-control-plane", root, addresses),
                Daemon::stopped("wakegate-scaler", root, addresses),
            ));
        }
        let args = vec![format!("--manifests={}", manifests.folder().display())];
        let control_plane =
            Daemon::start_at(self.control_plane, "wakegate-control-plane", root, args).await?;
        let args = vec![format!(
            "--control-plane=http://{}",
            control_plane.addresses().grpc
        )];
        let scaler = Daemon::start_at(self.scaler, "wakegate-scaler", root, args).await?;
        control_plane.ready().await?;
        scaler.ready().await?;
        Ok((control_plane, scaler))
    }

    fn envoy_config(
        &self,
        root: &Path,
        control_plane: &Daemon,
        scaler: &Daemon,
    ) -> Result<EnvoyConfig> {
        let endpoints = if self.late_endpoints {
            let folder = root.join("envoy-endpoints");
            std::fs::create_dir_all(&folder).context("make a folder")?;
            EndpointsFrom::Files(folder)
        } else {
            self.endpoints.clone()
        };
        let filter = if self.has_filter {
            Some(FilterConfig {
                module: programs::filter()?,
                settings: self.settings.clone(),
                discovered_from: self.is_discovered.then(|| root.join("filter.json")),
            })
        } else {
            None
        };
        Ok(EnvoyConfig {
            node_id: "envoy-under-test".to_owned(),
            listen: self.listen,
            admin: self.admin,
            n_workers: self.n_workers,
            filter,
            hosts: self.services.iter().map(VirtualHost::from).collect(),
            endpoints,
            control_planes: vec![control_plane.addresses().grpc],
            scaler: scaler.addresses().grpc,
            stream_idle_timeout: self.stream_idle_timeout,
            buffer_limit: self.buffer_limit,
        })
    }
}

impl Stack {
    /// Waits until every filter VM, the main thread's included, has acked a table.
    pub async fn every_worker_has_the_table(&self) -> Result<()> {
        let n_workers = self.envoy_config.n_workers;
        self.envoy()?.every_worker_has_a_table(n_workers).await
    }

    /// Changes the filter's configuration, in a stack where it is discovered.
    pub fn put_settings(&self, settings: &Value) -> Result<()> {
        self.envoy_config.write_filter(settings)
    }

    /// Writes what Envoy itself knows of a Service, in a stack with `endpoints_by_file`.
    pub fn put_envoy_endpoint(&self, service: &Service, address: Option<SocketAddr>) -> Result<()> {
        self.envoy_config.write_endpoint(service, address)
    }
}
