//! The three probes of a container, in their order.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe as Spec};
use tokio::time::{Instant, timeout_at};

use super::probe::Probe;

/// What turned out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Ready(bool),
    /// It has to be started again.
    Dead,
}

/// The probes that a container has.
#[derive(Debug)]
pub(super) struct Probes {
    /// With the time by which it must have succeeded.
    startup: Option<(Probe, Instant)>,
    liveness: Option<Probe>,
    readiness: Option<Probe>,
}

impl Probes {
    pub(super) fn of(container: &Container, address: Ipv4Addr) -> Self {
        let probe =
            |spec: &Option<Spec>, is_well| Probe::new(spec.as_ref()?, container, address, is_well);
        let startup = probe(&container.startup_probe, false);
        let limit = container
            .startup_probe
            .as_ref()
            .map_or(Duration::ZERO, startup_limit);
        Self {
            startup: startup.map(|probe| (probe, Instant::now() + limit)),
            liveness: probe(&container.liveness_probe, true),
            readiness: probe(&container.readiness_probe, false),
        }
    }

    /// Whether it is ready before anything was asked.
    pub(super) fn is_ready(&self) -> bool {
        self.startup.is_none() && self.readiness.is_none()
    }

    /// Waits for something to turn out.
    ///
    /// # Cancel safety
    /// A check that was under way is made again.
    pub(super) async fn next(&mut self) -> Event {
        if let Some((startup, limit)) = &mut self.startup {
            if timeout_at(*limit, startup.change()).await.is_err() {
                return Event::Dead;
            }
            self.startup = None;
            if self.readiness.is_none() {
                return Event::Ready(true);
            }
        }
        tokio::select! {
            is_ready = change(&mut self.readiness) => Event::Ready(is_ready),
            _ = change(&mut self.liveness) => Event::Dead,
        }
    }
}

async fn change(probe: &mut Option<Probe>) -> bool {
    match probe {
        Some(probe) => probe.change().await,
        None => std::future::pending().await,
    }
}

/// After so many failures in a row.
fn startup_limit(spec: &Spec) -> Duration {
    let number = |value: Option<i32>, default| {
        let value = value.and_then(|value| u32::try_from(value).ok());
        value.unwrap_or(default)
    };
    let period = Duration::from_secs(number(spec.period_seconds, 10).into());
    period * number(spec.failure_threshold, 3)
}
