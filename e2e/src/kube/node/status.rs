//! What a pod's status says, from what its containers do.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{Ended, Phase, State};

/// The status as it was written last.
#[derive(Debug)]
pub(super) struct Status {
    containers: Vec<Container>,
    /// Whether whatever ends is started again.
    restarts: bool,
    address: Ipv4Addr,
    started: Timestamp,
    /// Conditions: whether they are so, and since when.
    conditions: BTreeMap<&'static str, (bool, Timestamp)>,
    written: Option<(Vec<State>, bool)>,
}

impl Status {
    pub(super) fn new(pod: &Pod, address: Ipv4Addr) -> Self {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let spec = pod.spec.as_ref();
        let policy = spec.and_then(|spec| spec.restart_policy.as_deref());
        Self {
            restarts: !matches!(policy, Some("Never" | "OnFailure")),
            containers: containers.cloned().collect(),
            address,
            started: Timestamp::now(),
            conditions: BTreeMap::new(),
            written: None,
        }
    }

    /// The status to write, if it is another than the last one.
    pub(super) fn update(&mut self, states: &[State], is_ending: bool) -> Option<Value> {
        let next = (states.to_vec(), is_ending);
        if self.written.as_ref() == Some(&next) {
            return None;
        }
        self.written = Some(next);
        // What is told to end gets no new requests, whatever it still does.
        let are_ready = !is_ending && states.iter().all(|state| state.is_ready);
        for (name, is_so) in [
            ("PodScheduled", true),
            ("Initialized", true),
            ("ContainersReady", are_ready),
            ("Ready", are_ready),
        ] {
            let now = (is_so, Timestamp::now());
            let condition = self.conditions.entry(name).or_insert(now);
            if condition.0 != is_so {
                *condition = now;
            }
        }
        Some(self.value(states))
    }

    /// Whether all went well, of a pod whose containers have ended and are not started again.
    fn ended(&self, states: &[State]) -> Option<bool> {
        let mut ends = states.iter().map(|state| match &state.phase {
            Phase::Ended(ended) if !self.restarts => Some(ended.exit_code == 0),
            Phase::Ended(_) | Phase::Waiting(..) | Phase::Running(_) => None,
        });
        ends.try_fold(true, |all, end| end.map(|end| all && end))
    }

    fn value(&self, states: &[State]) -> Value {
        let conditions = self.conditions.iter().map(|(name, (is_so, since))| {
            let reason = (!is_so).then_some("ContainersNotReady");
            json!({
                "type": name,
                "status": if *is_so { "True" } else { "False" },
                "reason": reason,
                "lastTransitionTime": since.to_string(),
            })
        });
        let has_run =
            |state: &State| !matches!(state.phase, Phase::Waiting(..)) || state.last.is_some();
        let phase = match self.ended(states) {
            Some(true) => "Succeeded",
            Some(false) => "Failed",
            None if states.iter().all(has_run) => "Running",
            None => "Pending",
        };
        let containers = self.containers.iter().zip(states);
        json!({
            "phase": phase,
            "hostIP": "198.18.0.1",
            "podIP": self.address.to_string(),
            "podIPs": [ { "ip": self.address.to_string() } ],
            "startTime": self.started.to_string(),
            "conditions": conditions.collect::<Vec<_>>(),
            "containerStatuses": containers.map(of_container).collect::<Vec<_>>(),
        })
    }
}

fn of_container((spec, state): (&Container, &State)) -> Value {
    let now = match &state.phase {
        Phase::Waiting(reason, message) => {
            json!({ "waiting": { "reason": reason, "message": message } })
        }
        Phase::Running(since) => json!({ "running": { "startedAt": since.to_string() } }),
        Phase::Ended(ended) => json!({ "terminated": of_end(ended) }),
    };
    let last = state.last.as_ref().map(of_end);
    let last = last.map_or_else(|| json!({}), |last| json!({ "terminated": last }));
    json!({
        "name": spec.name,
        "image": spec.image,
        "imageID": "",
        "ready": state.is_ready,
        "started": matches!(state.phase, Phase::Running(_)),
        "restartCount": state.n_restarts,
        "state": now,
        "lastState": last,
    })
}

fn of_end(ended: &Ended) -> Value {
    json!({
        "exitCode": ended.exit_code,
        "reason": if ended.exit_code == 0 { "Completed" } else { "Error" },
        "startedAt": ended.started.to_string(),
        "finishedAt": ended.finished.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_once_and_a_pod_that_ends_is_not_ready() {
        let spec = json!({ "metadata": {}, "spec": { "containers": [ { "name": "app" } ] } });
        let pod: Pod = serde_json::from_value(spec).unwrap();
        let mut status = Status::new(&pod, Ipv4Addr::LOCALHOST);
        let up = State {
            phase: Phase::Running(Timestamp::UNIX_EPOCH),
            is_ready: true,
            ..State::default()
        };
        let mut ready = |is_ending| {
            let value = status.update(std::slice::from_ref(&up), is_ending)?;
            let conditions = value["conditions"].as_array().unwrap().clone();
            let ready = conditions.into_iter().find(|it| it["type"] == "Ready");
            Some(ready.unwrap()["status"].as_str().unwrap().to_owned())
        };
        assert_eq!(ready(false).as_deref(), Some("True"));
        assert_eq!(ready(false), None);
        assert_eq!(ready(true).as_deref(), Some("False"));
    }
}
