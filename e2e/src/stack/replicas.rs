//! Several daemons of a kind, and the one address at which they are reached.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::Stack;
use crate::daemon::Daemon;
use crate::front::Front;

/// An address for all of a kind, where there are several.
#[derive(Debug, Default)]
pub(super) struct Fronts {
    control_planes: Option<Front>,
    scalers: Option<Front>,
}

impl Fronts {
    /// Returns where these are reached.
    pub(super) async fn put_control_planes(&mut self, all: &[Daemon]) -> Result<SocketAddr> {
        self.control_planes = front(all).await?;
        let first = all.first().context("one at least")?;
        Ok(self.control_planes(first))
    }

    /// KEDA reaches them there; Envoy has the address of each.
    pub(super) async fn put_scalers(&mut self, all: &[Daemon]) -> Result<()> {
        self.scalers = front(all).await?;
        Ok(())
    }

    /// Where control planes are reached, with this as the first.
    pub(super) fn control_planes(&self, first: &Daemon) -> SocketAddr {
        at(self.control_planes.as_ref(), first)
    }
}

async fn front(all: &[Daemon]) -> Result<Option<Front>> {
    if all.len() < 2 {
        return Ok(None);
    }
    let addresses = all.iter().map(|daemon| daemon.addresses().grpc);
    Front::start(addresses.collect()).await.map(Some)
}

fn at(front: Option<&Front>, first: &Daemon) -> SocketAddr {
    front.map_or(first.addresses().grpc, Front::address)
}

impl Stack {
    /// Where KEDA reaches the scalers.
    pub fn scaler_address(&self) -> SocketAddr {
        at(self.fronts.scalers.as_ref(), &self.scaler)
    }

    /// All control planes.
    pub fn control_planes(&mut self) -> Vec<&mut Daemon> {
        let first = std::iter::once(&mut self.control_plane);
        first.chain(&mut self.more_control_planes).collect()
    }

    /// All scalers.
    pub fn scalers(&mut self) -> Vec<&mut Daemon> {
        let first = std::iter::once(&mut self.scaler);
        first.chain(&mut self.more_scalers).collect()
    }
}
