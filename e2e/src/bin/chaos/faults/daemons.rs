//! Control plane and scaler: killed, stopped, and with a clock that is stepped.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time;
use wakegate_e2e::{Daemon, eventually};

use crate::scene::{Scene, clock_file};

const SOON: Duration = Duration::from_secs(20);
/// In minutes.
const A_DAY: i64 = 24 * 60;

pub(super) async fn kill(daemon: &mut Daemon, span: Duration) -> Result<()> {
    daemon.kill()?;
    time::sleep(span).await;
    daemon.start_again().await?;
    daemon.ready().await
}

pub(super) async fn stop(daemon: &Daemon, span: Duration) -> Result<()> {
    daemon.pause()?;
    time::sleep(span).await;
    daemon.resume()
}

/// Shows by what the control plane logs that its clock really is elsewhere.
pub(super) async fn step_clock(scene: &mut Scene, offset: &str, span: Duration) -> Result<()> {
    let file = clock_file(scene.stack.folder());
    for (round, offset) in [offset, "+0"].into_iter().enumerate() {
        // In one go, as a clock is stepped.
        std::fs::write(&file, offset).context("write the clock's file")?;
        let wrong = format!("wrong-{round}.yaml");
        let length = scene.stack.control_plane.log().len();
        scene.stack.manifests.write(&wrong, "kind: [")?;
        let found = eventually(SOON, "a line of the control plane's log", async || {
            let log = scene.stack.control_plane.log();
            let line = log
                .get(length..)?
                .lines()
                .find(|line| line.contains(&wrong));
            line.map(str::to_owned)
        });
        let line = found.await?;
        scene.stack.manifests.remove(&wrong)?;
        let shown = minute_of_day(&line).context("a time in the log")?;
        let since = std::time::UNIX_EPOCH.elapsed().context("a clock")?;
        let now = i64::try_from(since.as_secs())? / 60;
        let expected = match offset {
            "+1h" => 60,
            "-1h" => -60,
            _ => 0,
        };
        // The line may be a moment old.
        ensure!(
            (now + expected - shown).rem_euclid(A_DAY) <= 1,
            "the daemons' clock did not follow {offset}: {line}"
        );
        time::sleep(span / 2).await;
    }
    Ok(())
}

/// Of a line that begins with a time such as `2026-11-25T22:40:00.102870Z`.
fn minute_of_day(line: &str) -> Option<i64> {
    let (_, time) = line.split_once('T')?;
    let mut parts = time.split(':').map(str::parse::<i64>);
    Some(parts.next()?.ok()? * 60 + parts.next()?.ok()?)
}
