//! The specs of WakePolicies: the one CRD that is ours.

use wakegate_api::{
    WakePolicySpec,
    wake_policy::{MAX_TARGETS, Rules},
};

use super::ensure;
use crate::{Form, Outcome, Target};

pub(super) const TARGET: Target = Target {
    name: "policies",
    form: Form::Objects,
    run,
    seeds,
};

fn seeds() -> Vec<Vec<u8>> {
    let route = r#"{"group":"gateway.networking.k8s.io","kind":"HTTPRoute","name":"web"}"#;
    let service = r#"{"group":"","kind":"Service","name":"web","sectionName":"http"}"#;
    let seeds = [
        format!(
            r#"{{"targetRefs":[{route}],"hold":{{"timeout":"90s","maxHeld":10,"overflowStatus":429,"waitingPage":true}},
                "noWake":[{{"userAgentPrefix":"kube-probe/"}},{{"path":"/healthz","status":204}},{{"method":"OPTIONS"}},
                {{"header":{{"name":"x-a","value":"1"}}}}],"thaw":{{"maxInFlightPerEndpoint":10,"probe":false}}}}"#
        ),
        format!(
            r#"{{"targetRefs":[{service}],"scale":{{"minReplicas":0,"maxReplicas":9,"cooldown":"5m","initialCooldown":"5m",
                "targetConcurrency":20,"targetRate":"0.5","rateWindow":"60s","paused":false,"scaledObject":"External",
                "target":{{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}}}}}}"#
        ),
    ];
    seeds.map(String::into_bytes).into()
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let spec: WakePolicySpec = match serde_json::from_slice(input) {
        Ok(spec) => spec,
        Err(error) => return Ok(Outcome::of(&error.to_string())),
    };
    let rules = match Rules::parse(&spec) {
        Ok(rules) => rules,
        Err(error) => {
            ensure(error.field.starts_with("spec"), || {
                format!("{:?} is no field", error.field)
            })?;
            return Ok(Outcome::of(&format!("{} {}", error.field, error.reason)));
        }
    };
    let n_targets = rules.targets.len();
    ensure((1..=MAX_TARGETS).contains(&n_targets), || {
        format!("{n_targets} targets")
    })?;
    let settings = &rules.settings;
    if let (Some(min), Some(max)) = (settings.min_replicas, settings.max_replicas) {
        ensure(min <= max, || format!("{min} to {max} replicas"))?;
    }
    for target in [settings.target_concurrency, settings.target_rate] {
        ensure(
            target.is_none_or(|target| target.is_finite() && target > 0.0),
            || format!("a target of {target:?}"),
        )?;
    }
    let parts = [
        spec.hold.is_some(),
        spec.thaw.is_some(),
        spec.scale.is_some(),
    ];
    Ok(Outcome::of(&format!("read {parts:?}")).with(rules.no_wake.len()))
}
