//! Annotations: a line each, `name=value`.

use wakegate_api::{Settings, annotations::PREFIX};

use super::ensure;
use crate::{Form, Outcome, Target};

pub(super) const TARGET: Target = Target {
    name: "annotations",
    form: Form::Bytes,
    run,
    seeds,
};

fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "scale-to-zero=true\nmin-replicas=0\nmax-replicas=10\ncooldown=5m\ninitial-cooldown=1h",
        "target-concurrency=20\ntarget-rate=0.5\nrate-window=60s\nhold-timeout=90s\nmax-held=500",
        "overflow=429\nno-wake-paths=/healthz,/ready\npaused=false\nscaled-object=external",
        "scale-target=argoproj.io/v1alpha1/Rollout/web\nscale-to-zer=true\nmin-replicas=5\nmax-replicas=1",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let text = String::from_utf8_lossy(input);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs: Vec<_> = pairs
        .map(|(name, value)| (format!("{PREFIX}{name}"), value))
        .collect();
    let named = pairs.iter().map(|(name, value)| (name.as_str(), *value));
    let (settings, errors) = Settings::parse(named);
    ensure(errors.len() <= pairs.len() + 1, || {
        format!("{} errors of {} annotations", errors.len(), pairs.len())
    })?;
    ensure(settings.max_replicas != Some(0), || {
        "a maximum of 0 replicas".to_owned()
    })?;
    if let (Some(min), Some(max)) = (settings.min_replicas, settings.max_replicas) {
        ensure(min <= max, || format!("{min} to {max} replicas"))?;
    }
    for target in [settings.target_concurrency, settings.target_rate] {
        ensure(
            target.is_none_or(|target| target.is_finite() && target > 0.0),
            || format!("a target of {target:?}"),
        )?;
    }
    let no_wake_paths = settings.no_wake_paths.iter().flatten();
    for path in no_wake_paths {
        ensure(path.starts_with('/'), || format!("{path:?} is no path"))?;
    }
    let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
    Ok(Outcome::of(&said.join(" ")).with(pairs.len()))
}
