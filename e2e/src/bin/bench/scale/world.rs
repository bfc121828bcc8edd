//! A control plane with very many routes from files, and no Envoy.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;
use wakegate_e2e::{Daemon, Manifests, Service};

/// Objects of one file: as few files as that are read at once, and a file is not too long for an editor.
const PER_FILE: usize = 500;

/// A control plane, and its manifests.
#[derive(Debug)]
pub(super) struct World {
    pub(super) control_plane: Daemon,
    pub(super) manifests: Manifests,
    pub(super) services: Vec<Service>,
    folder: TempDir,
}

impl World {
    /// Starts a control plane on so many routes; returns when it has read them.
    pub(super) async fn start(n_routes: usize) -> Result<Self> {
        let folder = TempDir::with_prefix("bench-scale-").context("make a folder")?;
        let manifests = Manifests::in_folder(&folder.path().join("manifests"))?;
        let services: Vec<_> = (0..n_routes)
            .map(|index| Service::new(&format!("app-{index:05}")))
            .collect();
        for (at, some) in services.chunks(PER_FILE).enumerate() {
            manifests.put_together(&format!("many-{at}.yaml"), some)?;
        }
        let args = vec![format!("--manifests={}", manifests.folder().display())];
        let control_plane = Daemon::start("wakegate-control-plane", folder.path(), args).await?;
        control_plane.ready().await?;
        Ok(Self {
            control_plane,
            manifests,
            services,
            folder,
        })
    }

    /// Where logs are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
