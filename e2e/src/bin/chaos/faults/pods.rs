//! Apps: killed, stopped, and failing by themselves.

use std::time::Duration;

use anyhow::Result;
use tokio::time;

use crate::scene::Scene;

/// From the death of an app to its endpoint's end: a kubelet has to notice.
const UNNOTICED: Duration = Duration::from_millis(500);

pub(super) async fn kill(scene: &mut Scene, span: Duration) -> Result<()> {
    scene.shaky.kill()?;
    scene.sleepers.kill()?;
    time::sleep(UNNOTICED).await;
    publish(scene).await?;
    time::sleep(span).await;
    tokio::try_join!(scene.shaky.start_again(), scene.sleepers.start_again())?;
    publish(scene).await
}

async fn publish(scene: &Scene) -> Result<()> {
    scene.seat_sleepers();
    let shaky = &scene.services.shaky;
    scene.board.put(shaky, scene.shaky.endpoint()).await
}

pub(super) async fn stop(scene: &Scene, span: Duration) -> Result<()> {
    scene.shaky.pause()?;
    scene.sleepers.pause()?;
    time::sleep(span).await;
    scene.shaky.resume()?;
    scene.sleepers.resume()
}

pub(super) async fn fail(scene: &Scene, span: Duration) -> Result<()> {
    scene.shaky.fail(span).await?;
    scene.sleepers.fail(span).await?;
    time::sleep(span).await;
    Ok(())
}
