//! Putting a stack together.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Daemons, StackBuilder};
use crate::daemon::{Addresses, Daemon, Security};
use crate::envoy::{EndpointsFrom, EnvoyConfig, EnvoyTls, FilterConfig, VirtualHost};
use crate::manifests::{Manifests, Service};
use crate::process::free_address;
use crate::programs;
use crate::stack::{Folder, Stack};
use crate::tls::{Certificates, Role};

impl StackBuilder {
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
        let certificates = self
            .has_tls
            .then(|| Certificates::in_folder(&root.join("tls")));
        let certificates = certificates.transpose()?;
        let secured = Secured(certificates.as_ref());
        let daemons = self.start_daemons(&root, &manifests, secured).await?;
        let envoy_config = self.envoy_config(&root, &daemons, secured)?;
        let (control_plane, scaler) = daemons;
        let mut stack = Stack {
            control_plane,
            scaler,
            envoy: None,
            manifests,
            envoy_config,
            certificates,
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

    async fn start_daemons(
        &self,
        root: &Path,
        manifests: &Manifests,
        secured: Secured<'_>,
    ) -> Result<(Daemon, Daemon)> {
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
        let control_plane = Daemon::stopped("wakegate-control-plane", root, self.control_plane);
        let control_plane = control_plane.secured(secured.daemon(Role::ControlPlane)?);
        let control_plane = self.start_daemon(control_plane, args).await?;
        let (scheme, address) = (secured.scheme(), control_plane.addresses().grpc);
        let args = vec![format!("--control-plane={scheme}://{address}")];
        let scaler = Daemon::stopped("wakegate-scaler", root, self.scaler);
        let scaler = scaler.secured(secured.daemon(Role::Scaler)?);
        let scaler = self.start_daemon(scaler, args).await?;
        control_plane.ready().await?;
        scaler.ready().await?;
        Ok((control_plane, scaler))
    }

    async fn start_daemon(&self, daemon: Daemon, args: Vec<String>) -> Result<Daemon> {
        let mut daemon = daemon.with(args, self.environment.clone());
        daemon.start_again().await?;
        Ok(daemon)
    }

    fn envoy_config(
        &self,
        root: &Path,
        (control_plane, scaler): &(Daemon, Daemon),
        secured: Secured<'_>,
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
                module: match &self.module {
                    Some(module) => module.clone(),
                    None => programs::filter()?,
                },
                settings: self.settings.clone(),
                discovered_from: self.is_discovered.then(|| root.join("filter.json")),
            })
        } else {
            None
        };
        let daemons = (control_plane.addresses().grpc, scaler.addresses().grpc);
        let (control_plane, scaler) = self.reached_at.unwrap_or(daemons);
        Ok(EnvoyConfig {
            node_id: "envoy-under-test".to_owned(),
            listen: self.listen,
            admin: self.admin,
            n_workers: self.n_workers,
            filter,
            hosts: self.services.iter().map(VirtualHost::from).collect(),
            endpoints,
            control_planes: vec![control_plane],
            scaler,
            tls: secured.envoy()?,
            stream_idle_timeout: self.stream_idle_timeout,
            buffer_limit: self.buffer_limit,
            connection_manager: self.connection_manager.clone(),
            listener_from: self
                .listener_is_discovered
                .then(|| root.join("listener.json")),
            drain_time: self.drain_time,
            accepts_connect: self.accepts_connect,
        })
    }
}

/// The certificates of a stack that has some.
#[derive(Debug, Clone, Copy)]
struct Secured<'a>(Option<&'a Certificates>);

impl Secured<'_> {
    fn scheme(self) -> &'static str {
        self.0.map_or("http", |_| "https")
    }

    fn daemon(self, role: Role) -> Result<Security> {
        let Some(certificates) = self.0 else {
            return Ok(Security::PlainText);
        };
        Ok(Security::Tls(certificates.folder(role)?.to_owned()))
    }

    fn envoy(self) -> Result<Option<EnvoyTls>> {
        let tls = |certificates: &Certificates| EnvoyTls::new(certificates.folder(Role::Filter)?);
        self.0.map(tls).transpose()
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
