//! One case: a scene, traffic, a fault, and what must hold in the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use wakegate_e2e::eventually;

use crate::args::Args;
use crate::checks;
use crate::faults::Fault;
use crate::report::Verdict;
use crate::scene::{Scene, Setup};
use crate::tally::Sums;
use crate::traffic::held::{Held, Sleeper};
use crate::traffic::hot::{Hot, Plan};
use crate::traffic::wake;

/// So many are held before the fault begins.
const N_HELD: u64 = 150;
/// Until they are, and until everything works again after a fault.
const SOON: Duration = Duration::from_secs(30);
/// What a request may take beyond its hold and beyond the fault.
const SLACK: Duration = Duration::from_secs(8);
/// So many held requests have to be let go again after the fault.
const N_RELEASED: usize = 60;

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What happens, for people.
    pub(crate) about: String,
    pub(crate) setup: Setup,
    /// One after the other, each for so long.
    pub(crate) faults: Vec<(Fault, Duration)>,
    /// Connections are closed with what is held on them, as the design says of LDS and a drain time that
    /// is shorter than the holds.
    pub(crate) drains_early: bool,
}

/// What the traffic met.
#[derive(Debug)]
pub(crate) struct Met {
    /// Through our Envoy: the service that no fault hits, and the other.
    pub(crate) ours: [Sums; 2],
    /// The same through Envoy alone.
    pub(crate) bare: [Sums; 2],
    pub(crate) held: Sums,
    /// Asked for when the fault began, and woken by the scaler and KEDA.
    pub(crate) woken: Sums,
    /// What our Envoy had allocated before the traffic, and the other one.
    pub(crate) memory_before: [f64; 2],
    /// Held when the fault began.
    pub(crate) n_held: u64,
}

impl Case {
    /// Runs it. Only one case at a time has the stage; what is checked when its traffic is over may
    /// overlap the next one.
    pub(crate) async fn run(self, args: &Args, stage: &Mutex<()>) -> Verdict {
        let folder = args.output.join(&self.name);
        let on_stage = stage.lock().await;
        let begin = Instant::now();
        let ended = Box::pin(self.play(&folder, args.rate, on_stage)).await;
        let verdict = Verdict::of(&self, ended, begin.elapsed());
        if verdict.has_passed() && !args.keep {
            // Fails only where there is nothing to remove.
            drop(std::fs::remove_dir_all(&folder));
        }
        verdict
    }

    async fn play(
        &self,
        folder: &Path,
        rate: u32,
        on_stage: MutexGuard<'_, ()>,
    ) -> Result<checks::Ended> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).context("remove the last run's folder")?;
        }
        std::fs::create_dir_all(folder).context("make a folder")?;
        let mut scene = self.setup.clone().start(folder).await?;
        let met = self.under_traffic(&mut scene, rate).await?;
        drop(on_stage);
        Box::pin(checks::at_the_end(self, scene, met)).await
    }

    async fn under_traffic(&self, scene: &mut Scene, rate: u32) -> Result<Met> {
        let memory_before = scene.memory().await?;
        let n_connected = scene.n_connected().await?;
        let plan = Plan {
            calm: Arc::clone(&scene.services.calm),
            shaky: Arc::clone(&scene.services.shaky),
            rate,
            limit: self.span() + SLACK,
            repeats: self.has_drain(),
        };
        let bare = Hot::start(scene.bare.address(), plan.clone());
        let ours = Hot::start(scene.stack.address()?, plan);
        let held = Held::start(scene.stack.address()?, self.sleepers(scene));
        let look = async || {
            let n_held = scene.stack.counted("held").await.ok()?;
            (n_held >= N_HELD).then_some(n_held)
        };
        let n_held = eventually(SOON, "requests are held", look).await?;
        let wake = wake::by_demand(scene)?;
        let strike = async {
            for (fault, span) in &self.faults {
                fault.strike(scene, *span).await?;
            }
            anyhow::Ok(())
        };
        let (struck, woken) = tokio::join!(strike, wake);
        struck?;
        let before = held.sums().n_held;
        eventually(SOON, "every stream is back", async || {
            let now = scene.n_connected().await.ok()?;
            (now.0 >= n_connected.0 && now.1 >= n_connected.1).then_some(())
        })
        .await?;
        eventually(SOON, "held requests are let go again", async || {
            (held.sums().n_held >= before + N_RELEASED).then_some(())
        })
        .await?;
        let (ours, bare, held) = tokio::try_join!(ours.finish(), bare.finish(), held.finish())?;
        Ok(Met {
            ours,
            bare,
            held,
            woken,
            memory_before,
            n_held,
        })
    }

    fn sleepers(&self, scene: &Scene) -> Vec<Sleeper> {
        let limit = self.setup.hold + self.span() + SLACK;
        let turns = scene.turns.iter().map(|turn| Sleeper {
            service: Arc::clone(&turn.service),
            awake: turn.awake(),
            limit,
        });
        let (_, always_asleep) = tokio::sync::watch::channel(false);
        let never = Sleeper {
            service: Arc::clone(&scene.services.never),
            awake: always_asleep,
            limit,
        };
        turns.chain([never]).collect()
    }

    /// How long a fault may keep what was let go from its answer.
    pub(crate) fn span(&self) -> Duration {
        self.faults.iter().map(|(_, span)| *span).sum()
    }

    /// Whether connections are closed that were told to go before.
    fn has_drain(&self) -> bool {
        self.faults
            .iter()
            .any(|(fault, _)| matches!(fault, Fault::Listener(_)))
    }

    pub(crate) fn hits_apps(&self) -> bool {
        self.faults.iter().any(|(fault, _)| fault.hits_apps())
    }
}
