//! The network between Envoy and one part.

use std::time::Duration;

use anyhow::Result;
use tokio::time;
use wakegate_e2e::Conduct;

use super::Part;
use crate::scene::Scene;

pub(super) async fn suffer(
    scene: &Scene,
    part: Part,
    conduct: Conduct,
    span: Duration,
) -> Result<()> {
    tell(scene, part, conduct)?;
    time::sleep(span).await;
    tell(scene, part, Conduct::Pass)
}

fn tell(scene: &Scene, part: Part, conduct: Conduct) -> Result<()> {
    match part {
        Part::ControlPlane => scene.links.control_plane.conduct(conduct),
        Part::Scaler => scene.links.scaler.conduct(conduct),
        Part::Pods | Part::AllPods => {
            scene.shaky.conduct(conduct)?;
            scene.sleepers.conduct(conduct)?;
        }
    }
    if part == Part::AllPods {
        scene.calm.conduct(conduct)?;
    }
    Ok(())
}
