//! Who tells KEDA of requests.

use super::{Step, having, kubectl};
use crate::migrate::{
    check::{Found, is_for_add_on, is_written_for},
    objects::{COOLDOWN_SECS, Id, Objects},
    rules::scaling::SCALER_ADDRESS,
};

/// What is done before the routes change, and what undoes it.
pub(super) fn keep_and_wake(objects: &Objects, has_backends: bool) -> (Option<Step>, Option<Step>) {
    if !has_backends {
        return (None, None);
    }
    let asleep = sleepers(objects);
    let commands = |n: u8| {
        let commands = asleep.iter().map(|(id, is_scaled_object)| {
            let patch = if *is_scaled_object {
                format!(r#"{{"spec":{{"minReplicaCount":{n}}}}}"#)
            } else {
                format!(r#"{{"spec":{{"replicas":{{"min":{n}}}}}}}"#)
            };
            kubectl("patch", id, &format!("--type merge --patch '{patch}'"))
        });
        commands.collect()
    };
    let secs = shortest_cooldown(objects);
    let keep = format!(
        "Keep a replica of each workload. From when its route leads to the Service until KEDA asks Wakegate nobody tells \
         KEDA of its requests: what is at zero is not woken, and what is up goes to zero after its cooldown, {secs} s for \
         the shortest."
    );
    let wake = "Give the workloads their least number of replicas back. A request to one at zero is held now, wakes it \
                and is answered.";
    let ids = || asleep.iter().map(|(id, _)| id.clone()).collect();
    let keep = (!asleep.is_empty()).then(|| Step {
        objects: ids(),
        commands: commands(1),
        ..Step::new("keep", keep)
    });
    let wake = (!asleep.is_empty()).then(|| Step {
        objects: ids(),
        commands: commands(0),
        ..Step::new("wake", wake)
    });
    (keep, wake)
}

/// What says that a workload may go to zero, and whether it is a ScaledObject.
fn sleepers(objects: &Objects) -> Vec<(Id, bool)> {
    let add_ons = objects.add_ons.iter().filter(|it| {
        let scaling = it.reading.scaling.as_ref();
        is_written_for(it) && scaling.is_some_and(|scaling| scaling.min_replicas == 0)
    });
    let scaled = objects
        .scaled
        .iter()
        .filter(|it| it.controller().is_none() && it.min_replicas == 0 && is_for_add_on(it));
    let add_ons = add_ons.map(|it| (it.id.clone(), false));
    add_ons
        .chain(scaled.map(|it| (it.id.clone(), true)))
        .collect()
}

fn shortest_cooldown(objects: &Objects) -> i64 {
    let add_ons = objects.add_ons.iter().filter(|it| is_written_for(it));
    let own = add_ons.filter_map(|it| it.reading.scaling.as_ref());
    let own = own.map(|it| i64::try_from(it.cooldown.as_secs()).unwrap_or(i64::MAX));
    let scaled = objects.scaled.iter();
    let scaled = scaled.filter(|it| it.controller().is_none() && is_for_add_on(it));
    let shortest = own.chain(scaled.map(|it| it.cooldown_secs)).min();
    shortest.unwrap_or(COOLDOWN_SECS)
}

pub(super) fn scaler_address(found: &Found, scaler: &str) -> Option<Step> {
    let objects = having(found, &[&SCALER_ADDRESS]);
    let commands = objects.iter().flat_map(|id| {
        let findings = found.get(id).into_iter().flatten();
        let findings = findings.filter(|it| it.rule.id == SCALER_ADDRESS.id);
        findings.map(move |finding| {
            let pointer = finding.field.replace(['.', '['], "/").replace(']', "");
            let patch = format!(r#"[{{"op":"add","path":"/{pointer}","value":"{scaler}"}}]"#);
            kubectl("patch", id, &format!("--type json --patch '{patch}'"))
        })
    });
    let commands = commands.collect();
    let text = format!("Lead the ScaledObjects that you wrote to {scaler}.");
    (!objects.is_empty()).then(|| Step {
        objects,
        commands,
        ..Step::new("scaler-address", text)
    })
}
