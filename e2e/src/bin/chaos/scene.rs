//! Where a case takes place: a stack with its apps, a second Envoy without the filter, and the network
//! between them.

mod build;
mod pod;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use wakegate_e2e::autoscaler::{Autoscaler, Contract};
use wakegate_e2e::{Admin, Envoy, EnvoyConfig, Relay, Service, Stack};

use crate::traffic::turns::{Board, Turn};

pub(crate) use build::{Configuration, Setup, WOKEN_HOLD, clock_file};
pub(crate) use pod::Pod;

/// Everything that runs in a case but for the traffic.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    /// An Envoy without the filter, to the same apps.
    pub(crate) bare: Envoy,
    pub(crate) bare_config: EnvoyConfig,
    pub(crate) links: Links,
    pub(crate) board: Board,
    pub(crate) services: Services,
    /// The app of what no fault hits.
    pub(crate) calm: Pod,
    /// The app of what some do.
    pub(crate) shaky: Pod,
    /// The app of all that sleep and wake in turns.
    pub(crate) sleepers: Pod,
    /// Where that app is, for those who publish it.
    pub(crate) seat: watch::Sender<Option<SocketAddr>>,
    pub(crate) turns: Vec<Turn>,
    /// Stands in for KEDA, for what wakes by demand.
    pub(crate) keda: Option<Autoscaler>,
    /// The scaler's answers, one for each service.
    pub(crate) contracts: Vec<(String, Contract)>,
}

/// The network between Envoy and the daemons.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) control_plane: Relay,
    pub(crate) scaler: Relay,
}

/// What is served.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    /// Always awake.
    pub(crate) calm: Arc<Service>,
    /// Awake while its app runs.
    pub(crate) shaky: Arc<Service>,
    /// Sleeps and wakes in turns.
    pub(crate) turns: Vec<Arc<Service>>,
    /// Never wakes: its holds end by time-out.
    pub(crate) never: Arc<Service>,
    /// Woken by KEDA.
    pub(crate) woken: Arc<Service>,
    /// Asked in ways that are odd.
    pub(crate) odd: Arc<Service>,
}

impl Services {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Service>> {
        let others = [&self.calm, &self.shaky, &self.never, &self.woken, &self.odd];
        others.into_iter().chain(&self.turns)
    }
}

impl Scene {
    /// What our Envoy has allocated, and the other one, in bytes.
    pub(crate) async fn memory(&self) -> Result<[f64; 2]> {
        let allocated = async |admin: Admin| {
            let samples = admin.samples().await?;
            anyhow::Ok(samples.sum("envoy_server_memory_allocated"))
        };
        Ok([
            allocated(self.stack.envoy()?.admin()).await?,
            allocated(self.bare.admin()).await?,
        ])
    }

    /// Filter VMs with a stream to the control plane, and to the scaler.
    pub(crate) async fn n_connected(&self) -> Result<(f64, f64)> {
        let samples = self.stack.envoy()?.admin().samples().await?;
        Ok((
            samples.sum("wakegate_control_plane_connected"),
            samples.sum("wakegate_scaler_connected"),
        ))
    }

    /// The app of the turns is where its pod is, or nowhere.
    pub(crate) fn seat_sleepers(&self) {
        self.seat.send_replace(self.sleepers.endpoint());
    }

    /// An error when something has ended or died that nobody killed.
    pub(crate) fn is_well(&mut self) -> Result<()> {
        self.stack.is_well()?;
        self.bare.is_well()?;
        for pod in [&mut self.calm, &mut self.shaky, &mut self.sleepers] {
            pod.is_well()?;
        }
        Ok(())
    }

    /// The end of everything, in order.
    pub(crate) async fn finish(self) -> Result<()> {
        drop(self.turns);
        drop(self.keda);
        self.bare.terminate(Duration::from_secs(10)).await?;
        self.stack.finish().await
    }
}
