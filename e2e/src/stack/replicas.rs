//! The replicas of a stack's daemons beside the first of each kind.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::Stack;
use crate::daemon::Daemon;
use crate::front::Front;

/// All but the first control plane and the first scaler; none in most stacks.
#[derive(Debug, Default)]
pub struct Replicas {
    /// Control planes.
    pub control_planes: Vec<Daemon>,
    /// Scalers.
    pub scalers: Vec<Daemon>,
    control_plane_front: Option<Front>,
    scaler_front: Option<Front>,
}

impl Replicas {
    /// Keeps all but the first, which is the stack's.
    pub(super) async fn take_control_planes(&mut self, all: VecDeque<Daemon>) -> Result<Daemon> {
        let (first, others, front) = split(all).await?;
        self.control_planes = others;
        self.control_plane_front = front;
        Ok(first)
    }

    /// The same for scalers.
    pub(super) async fn take_scalers(&mut self, all: VecDeque<Daemon>) -> Result<Daemon> {
        let (first, others, front) = split(all).await?;
        self.scalers = others;
        self.scaler_front = front;
        Ok(first)
    }

    /// Where control planes and scalers are reached, with these as the first.
    pub(super) fn addresses(
        &self,
        control_plane: &Daemon,
        scaler: &Daemon,
    ) -> (SocketAddr, SocketAddr) {
        let at = |front: &Option<Front>, first: &Daemon| {
            let front = front.as_ref().map(Front::address);
            front.unwrap_or_else(|| first.addresses().grpc)
        };
        (
            at(&self.control_plane_front, control_plane),
            at(&self.scaler_front, scaler),
        )
    }

    /// Waits until all are ready.
    pub(super) async fn ready(&self) -> Result<()> {
        for daemon in self.control_planes.iter().chain(&self.scalers) {
            daemon.ready().await?;
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Daemon> {
        self.control_planes.iter_mut().chain(&mut self.scalers)
    }
}

async fn split(mut all: VecDeque<Daemon>) -> Result<(Daemon, Vec<Daemon>, Option<Front>)> {
    let front = if all.len() > 1 {
        let addresses = all.iter().map(|daemon| daemon.addresses().grpc);
        Some(Front::start(addresses.collect()).await?)
    } else {
        None
    };
    let first = all.pop_front().context("one replica at least")?;
    Ok((first, all.into(), front))
}

impl Stack {
    /// Where the scalers are reached: the scaler, where there is one.
    pub fn scaler_address(&self) -> SocketAddr {
        self.replicas.addresses(&self.control_plane, &self.scaler).1
    }

    /// All control planes.
    pub fn control_planes(&mut self) -> Vec<&mut Daemon> {
        let first = std::iter::once(&mut self.control_plane);
        first.chain(&mut self.replicas.control_planes).collect()
    }

    /// All scalers.
    pub fn scalers(&mut self) -> Vec<&mut Daemon> {
        let first = std::iter::once(&mut self.scaler);
        first.chain(&mut self.replicas.scalers).collect()
    }
}
