//! What a daemon takes of the machine, as the kernel counts it.

use std::time::Duration;

use anyhow::{Context, Result};
use wakegate_e2e::{Daemon, resources};

/// What it has used of the processor so far, in user and in system mode.
pub(super) fn cpu_time(daemon: &Daemon) -> Result<Duration> {
    resources::cpu_time(pid(daemon)?)
}

/// Its resident memory now, in megabytes.
pub(super) fn resident_mb(daemon: &Daemon) -> Result<f64> {
    Ok(resources::resident_bytes(pid(daemon)?)? / 1e6)
}

/// The most that its resident memory ever was, in megabytes.
pub(super) fn peak_mb(daemon: &Daemon) -> Result<f64> {
    Ok(resources::peak_bytes(pid(daemon)?)? / 1e6)
}

fn pid(daemon: &Daemon) -> Result<u32> {
    daemon.pid().context("the daemon runs")
}
