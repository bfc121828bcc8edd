//! A container registry as a process.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Process, programs, until};

/// For it to say where it listens.
const LIMIT: Duration = Duration::from_secs(20);

/// The CNCF's registry, without TLS, until it is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Registry {
    /// Starts one that is empty, on an address of this machine.
    pub async fn start(host: IpAddr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("configuration.yaml");
        let text = format!(
            "{{version: 0.1, storage: {{filesystem: {{rootdirectory: {}}}}}, http: {{addr: '{host}:0'}}}}",
            folder.path().join("images").display()
        );
        std::fs::write(&configuration, text)?;
        let args = ["serve".as_ref(), configuration.as_os_str()];
        let log = folder.path().join("registry.log");
        let process = Process::start(&programs::registry()?, args, &log)?;
        let address = until(LIMIT, "the registry listens", || listens(&process.log()))
            .await
            .with_context(|| process.log())?;
        Ok(Self {
            address,
            process,
            _folder: folder,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often somebody has fetched a part of an image.
    pub fn n_fetched(&self) -> usize {
        let log = self.process.log();
        let fetches = log.lines().filter(|line| {
            line.contains("method=GET")
                && line.contains("/blobs/sha256:")
                && line.contains("status=200")
        });
        fetches.count()
    }
}

/// The address in its log.
fn listens(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("listening on ")?;
    let (address, _) = rest.split_once('"')?;
    address.parse().ok()
}
