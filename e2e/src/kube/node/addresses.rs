//! Addresses of pods and Services, and those on the loopback device.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use tokio::process::Command;

/// Those that no pod has now. One that came back is taken last, so that nobody meets the pod before.
#[derive(Debug)]
pub(super) struct Addresses {
    free: Mutex<VecDeque<Ipv4Addr>>,
}

impl Addresses {
    /// From .2 to .240: the rest is for others.
    pub(super) fn new([a, b, c]: [u8; 3]) -> Self {
        let free = (2..=240).map(|last| Ipv4Addr::new(a, b, c, last));
        Self {
            free: Mutex::new(free.collect()),
        }
    }

    /// One for a pod.
    pub(super) fn take(&self) -> Result<Ipv4Addr> {
        let address = self.free.lock().pop_front();
        address.context("no address is left for a pod")
    }

    /// The pod that had it has ended.
    pub(super) fn give_back(&self, address: Ipv4Addr) {
        self.free.lock().push_back(address);
    }
}

/// Puts an address on the loopback device.
pub(super) async fn put(address: Ipv4Addr) -> Result<()> {
    ip("replace", address).await
}

/// Takes an address off the loopback device.
pub(super) async fn remove(address: Ipv4Addr) -> Result<()> {
    ip("del", address).await
}

async fn ip(verb: &str, address: Ipv4Addr) -> Result<()> {
    let cidr = format!("{address}/32");
    let output = Command::new("ip")
        .args(["address", verb, &cidr, "dev", "lo"])
        .output()
        .await
        .context("run ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ip address {verb} {cidr}: {}",
        said.trim()
    );
    Ok(())
}
