//! What a daemon takes of the machine, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use wakegate_e2e::Daemon;

/// `man proc`: utime and stime of /proc/pid/stat count in hundredths of a second on every Linux that we run
/// on.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used of the processor so far, in user and in system mode.
pub(super) fn cpu_time(daemon: &Daemon) -> Result<Duration> {
    let stat = proc_file(daemon, "stat")?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').context("find the name in stat")?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u32 = ticks
        .map(str::parse::<u32>)
        .sum::<Result<_, _>>()
        .context("read utime and stime")?;
    Ok(TICK * ticks)
}

/// Its resident memory now, in megabytes.
pub(super) fn resident_mb(daemon: &Daemon) -> Result<f64> {
    status_mb(daemon, "VmRSS:")
}

/// The most that its resident memory ever was, in megabytes.
pub(super) fn peak_mb(daemon: &Daemon) -> Result<f64> {
    status_mb(daemon, "VmHWM:")
}

fn status_mb(daemon: &Daemon, field: &str) -> Result<f64> {
    let status = proc_file(daemon, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib = kib.with_context(|| format!("find {field}"))?.trim();
    Ok(kib.parse::<f64>().context("read a size")? * 1_024.0 / 1e6)
}

fn proc_file(daemon: &Daemon, name: &str) -> Result<String> {
    let pid = daemon.pid().context("the daemon runs")?;
    let path = format!("/proc/{pid}/{name}");
    fs::read_to_string(&path).with_context(|| format!("read {path}"))
}
