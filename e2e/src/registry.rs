//! A container registry as a process.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Process, programs, until};

/// For it to say where it listens.
const LIMIT: Duration = Duration::from_secs(20);

/// The CNCF's registry, on loopback and without TLS, until it is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Registry {
    /// Starts one that is empty.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("configuration.yaml");
        let text = format!(
            "{{version: 0.1, storage: {{filesystem: {{rootdirectory: {}}}}}, http: {{addr: '127.0.0.1:0'}}}}",
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
            _process: process,
            _folder: folder,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The address in its log.
fn listens(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("listening on ")?;
    let (address, _) = rest.split_once('"')?;
    address.parse().ok()
}
