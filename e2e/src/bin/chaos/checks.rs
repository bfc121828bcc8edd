//! What must hold when a case is over: nothing is counted any more, memory is back, nobody died.

use std::time::Duration;

use anyhow::Result;
use wakegate_e2e::{eventually, eventually_is};

use crate::case::{Case, Met};
use crate::scene::Scene;

/// The scaler's average is over 15 s, and KEDA is told that something is active for 6 s after its last request.
const IDLE_LIMIT: Duration = Duration::from_secs(40);
const SOON: Duration = Duration::from_secs(10);
/// What Envoy may keep: statistics, buffers and connections to the apps that were made meanwhile.
const MEMORY_MARGIN: f64 = 8.0 * 1024.0 * 1024.0;

/// An endpoint that goes just when a request is let go to it leaves that request without a host: Envoy
/// answers 503. While nothing hits the apps that is at most one part in so many.
const MISSED_SHARE: usize = 33;

/// What a case came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) met: Met,
    pub(crate) memory_after: f64,
    /// What does not hold.
    pub(crate) failures: Vec<String>,
}

pub(crate) async fn at_the_end(case: &Case, mut scene: Scene, met: Met) -> Result<Ended> {
    let mut failures = answers(case, &met);
    // Nobody wakes anything from here on.
    scene.keda = None;
    scene.turns.clear();
    let mut note = |checked: Result<()>| {
        if let Err(error) = checked {
            failures.push(format!("{error:#}"));
        }
    };
    note(nothing_is_held(&scene).await);
    note(the_scaler_says_idle(&scene).await);
    let memory_after = memory_is_back(&scene, &met).await;
    note(
        memory_after
            .as_ref()
            .map(|_| ())
            .map_err(|error| anyhow::anyhow!("{error:#}")),
    );
    note(scene.is_well());
    let memory_after = match memory_after {
        Ok(bytes) => bytes,
        Err(_) => scene.memory().await?[0],
    };
    note(scene.finish().await);
    Ok(Ended {
        met,
        memory_after,
        failures,
    })
}

/// What the answers to hot and held requests have to be.
fn answers(case: &Case, met: &Met) -> Vec<String> {
    let mut failures = Vec::new();
    for (what, ours, bare) in [
        ("calm", &met.ours[0], &met.bare[0]),
        ("shaky", &met.ours[1], &met.bare[1]),
    ] {
        if ours.n_lost() > 0 && bare.n_lost() == 0 {
            let losses = ours.losses();
            failures.push(format!("{what}: Envoy alone lost nothing, ours {losses}"));
        }
        if ours.n_ended == 0 {
            failures.push(format!("{what}: nothing was asked"));
        }
    }
    // No fault hits it, so this machine did: what else was seen proves nothing.
    if met.bare[0].n_lost() > 0 {
        let losses = met.bare[0].losses();
        failures.push(format!(
            "the machine is too busy: Envoy alone lost of calm {losses}"
        ));
    }
    failures.extend(held(case, met));
    failures
}

/// What the answers to held requests have to be.
fn held(case: &Case, met: &Met) -> Vec<String> {
    let mut failures = Vec::new();
    let held = &met.held;
    let n_closed = held.n_unanswered();
    if case.drains_early {
        let is_broken = held
            .unanswered
            .keys()
            .all(|what| what.starts_with("broken"));
        let n_most = usize::try_from(met.n_held).unwrap_or(usize::MAX);
        if n_closed == 0 || !is_broken || n_closed > n_most * 2 {
            failures.push(format!("held: not what LDS does: {}", held.losses()));
        }
    } else if n_closed > 0 {
        failures.push(format!("held: without the right answer: {}", held.losses()));
    }
    let n_503 = held.statuses.get(&503).copied().unwrap_or_default();
    let n_504 = held.statuses.get(&504).copied().unwrap_or_default();
    // A WebSocket that was open when its app went.
    let n_101 = held.statuses.get(&101).copied().unwrap_or_default();
    let n_101 = if case.hits_apps() || case.drains_early {
        n_101
    } else {
        0
    };
    let is_other = held.n_lost() != n_101 + n_503 + n_504 + n_closed;
    let is_too_often = !case.hits_apps() && n_503 * MISSED_SHARE > held.n_ended;
    if is_other || is_too_often {
        failures.push(format!("held: answers that are none: {}", held.losses()));
    }
    let woken = &met.woken;
    if woken.n_lost() > 0 && !case.drains_early {
        failures.push(format!("not woken by demand: {}", woken.losses()));
    }
    failures
}

async fn nothing_is_held(scene: &Scene) -> Result<()> {
    scene.stack.held_is(0, SOON).await?;
    // The admin request that asks is one itself.
    let active = async || {
        let samples = scene.stack.envoy()?.admin().samples().await?;
        Ok(samples.sum("envoy_http_downstream_rq_active"))
    };
    eventually_is(SOON, "requests in Envoy", 1.0, active).await
}

async fn the_scaler_says_idle(scene: &Scene) -> Result<()> {
    for (service, contract) in &scene.contracts {
        let what = format!("what the scaler says of {service}");
        let poll = async || Ok(contract.poll().await?);
        eventually_is(IDLE_LIMIT, &what, (false, 0.0), poll).await?;
    }
    Ok(())
}

/// The same connections to the same apps cost Envoy alone something as well, and stay as long.
async fn memory_is_back(scene: &Scene, met: &Met) -> Result<f64> {
    let [ours, bare] = met.memory_before;
    let what =
        format!("Envoy's memory is back at {ours}, but for what Envoy alone keeps beyond {bare}");
    eventually(SOON, &what, async || {
        let [ours_now, bare_now] = scene.memory().await.ok()?;
        let kept = (bare_now - bare).max(0.0);
        (ours_now <= ours + kept + MEMORY_MARGIN).then_some(ours_now)
    })
    .await
}
