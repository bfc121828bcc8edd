//! Putting a stack together.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Daemons, StackBuilder};
use crate::daemon::{Addresses, Daemon, Security};
use crate::envoy::{EndpointsFrom, EnvoyConfig, EnvoyTls, FilterConfig, Module, VirtualHost};
use crate::manifests::{Manifests, Service};
use crate::process::free_address;
use crate::programs;
use crate::stack::replicas::Fronts;
use crate::stack::{Folder, Stack};
use crate::tls::{Certificates, Role};

/// The daemons of a stack, and where several of a kind are reached.
struct Started {
    control_planes: Vec<Daemon>,
    scalers: Vec<Daemon>,
    fronts: Fronts,
}

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
        let manifests = self.manifests(&root)?;
        let certificates = self
            .has_tls
            .then(|| Certificates::in_folder(&root.join("tls")));
        let certificates = certificates.transpose()?;
        let secured = Secured(certificates.as_ref());
        let Started {
            mut control_planes,
            mut scalers,
            fronts,
        } = self.start_daemons(&root, &manifests, secured).await?;
        let control_plane = control_planes.remove(0);
        let scaler = scalers.remove(0);
        let reached_at = (
            fronts.control_planes(&control_plane),
            scaler.addresses().grpc,
        );
        let mut envoy_config = self.envoy_config(&root, reached_at, secured)?;
        let more = scalers.iter().map(|scaler| scaler.addresses().grpc);
        envoy_config.scalers.extend(more);
        let mut stack = Stack {
            control_plane,
            scaler,
            more_control_planes: control_planes,
            more_scalers: scalers,
            fronts,
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

    fn manifests(&self, root: &Path) -> Result<Manifests> {
        let manifests = Manifests::in_folder(&root.join("manifests"))?;
        for service in &self.services {
            manifests.put(service)?;
        }
        for (file, text) in &self.files {
            manifests.write(file, text)?;
        }
        Ok(manifests)
    }

    async fn start_daemons(
        &self,
        root: &Path,
        manifests: &Manifests,
        secured: Secured<'_>,
    ) -> Result<Started> {
        let elsewhere = match self.daemons {
            Daemons::Real => None,
            Daemons::Peer(grpc) => Some(Addresses {
                grpc,
                admin: free_address()?,
                module: None,
            }),
            Daemons::None => Some(Addresses {
                grpc: free_address()?,
                admin: free_address()?,
                module: None,
            }),
        };
        if let Some(addresses) = elsewhere {
            return Ok(Started {
                control_planes: vec![Daemon::stopped("wakegate-control-plane", root, addresses)],
                scalers: vec![Daemon::stopped("wakegate-scaler", root, addresses)],
                fronts: Fronts::default(),
            });
        }
        let control_planes = self.start_control_planes(root, manifests, secured).await?;
        let mut fronts = Fronts::default();
        let reached_at = fronts.put_control_planes(&control_planes).await?;
        let scalers = self.start_scalers(root, reached_at, secured).await?;
        fronts.put_scalers(&scalers).await?;
        for daemon in control_planes.iter().chain(&scalers) {
            daemon.ready().await?;
        }
        Ok(Started {
            control_planes,
            scalers,
            fronts,
        })
    }

    /// All but the first have folders of their own.
    async fn start_control_planes(
        &self,
        root: &Path,
        manifests: &Manifests,
        secured: Secured<'_>,
    ) -> Result<Vec<Daemon>> {
        let mut places = vec![(root.to_owned(), self.control_plane)];
        for number in 1..self.n_control_planes {
            let folder = root.join(format!("control-plane-{number}"));
            std::fs::create_dir_all(&folder).context("make a folder")?;
            places.push((folder, Addresses::ANY));
        }
        let mut control_planes = Vec::new();
        for (folder, addresses) in &places {
            let args = vec![format!("--manifests={}", manifests.folder().display())];
            let next = Daemon::stopped("wakegate-control-plane", folder, *addresses);
            let next = next.secured(secured.daemon(Role::ControlPlane)?);
            control_planes.push(self.start_daemon(next, args).await?);
        }
        Ok(control_planes)
    }

    async fn start_scalers(
        &self,
        root: &Path,
        control_plane: SocketAddr,
        secured: Secured<'_>,
    ) -> Result<Vec<Daemon>> {
        let mut places = vec![(root.to_owned(), self.scaler)];
        for number in 1..self.n_scalers {
            let folder = root.join(format!("scaler-{number}"));
            std::fs::create_dir_all(&folder).context("make a folder")?;
            places.push((folder, Addresses::ANY));
        }
        if self.n_scalers > 1 {
            // They are told each other's addresses before they are there.
            for (_, addresses) in &mut places {
                addresses.grpc = free_address()?;
            }
        }
        let peers: Vec<_> = places.iter().map(|(_, at)| at.grpc).collect();
        let mut scalers = Vec::new();
        for (folder, addresses) in &places {
            let scheme = secured.scheme();
            let mut args = vec![format!("--control-plane={scheme}://{control_plane}")];
            if self.n_scalers > 1 {
                args.extend(peers.iter().map(|peer| format!("--peer={peer}")));
            }
            let next = Daemon::stopped("wakegate-scaler", folder, *addresses);
            let next = next.secured(secured.daemon(Role::Scaler)?);
            scalers.push(self.start_daemon(next, args).await?);
        }
        Ok(scalers)
    }

    async fn start_daemon(&self, daemon: Daemon, args: Vec<String>) -> Result<Daemon> {
        let args = [args, self.flags.clone()].concat();
        let mut daemon = daemon.with(args, self.environment.clone());
        daemon.start_again().await?;
        Ok(daemon)
    }

    fn envoy_config(
        &self,
        root: &Path,
        (control_plane, scaler): (SocketAddr, SocketAddr),
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
                    None => Module::File(programs::filter()?),
                },
                settings: self.settings.clone(),
                discovered_from: self.is_discovered.then(|| root.join("filter.json")),
            })
        } else {
            None
        };
        let (control_plane, scaler) = self.reached_at.unwrap_or((control_plane, scaler));
        Ok(EnvoyConfig {
            node_id: "envoy-under-test".to_owned(),
            listen: self.listen,
            admin: self.admin,
            n_workers: self.n_workers,
            filter,
            hosts: self.services.iter().map(VirtualHost::from).collect(),
            endpoints,
            control_planes: vec![control_plane],
            scalers: vec![scaler],
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
