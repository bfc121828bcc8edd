//! The pods of a workload that does not become ready -> why.

use std::cmp::Reverse;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition};

/// Why nothing becomes ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// In CamelCase.
    pub(super) reason: &'static str,
    /// What it is about, such as an image. With `reason` it says whether a cause is the same as before:
    /// the words of kubelets change from one try to the next.
    pub(super) subject: String,
    /// In words.
    pub(super) text: String,
}

/// How telling a cause is, the most telling last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Ready,
    Starting,
    Gate,
    Probe,
    Unschedulable,
    Crash,
    Container,
    Image,
}

/// Why a kubelet cannot have an image.
const IMAGE: [&str; 6] = [
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
];

/// Why it cannot make a container of it.
const CONTAINER: [&str; 5] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "PostStartHookError",
    "PreCreateHookError",
    "RunContainerError",
];

/// The cause, from the pods that a workload has, and from what it says when it could not make one.
pub(super) fn cause(pods: &[Pod], replica_failure: Option<&str>) -> Cause {
    let there = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    // Of several that are as telling, the first by name: it is the same at the next look.
    let worst = there
        .map(|pod| (pod_cause(pod), pod))
        .max_by_key(|(found, pod)| {
            let name = pod.metadata.name.clone();
            (found.0, Reverse(name))
        });
    if let Some(((_, cause), _)) = worst {
        return cause;
    }
    let (reason, text) = match replica_failure {
        Some(message) if message.contains("exceeded quota") => ("NotReadyQuota", message),
        Some(message) => ("NotReadyNoPod", message),
        None => ("NotReadyNoPod", "nothing has made a pod for it yet"),
    };
    Cause {
        reason,
        subject: String::new(),
        text: format!("it has no pod: {text}"),
    }
}

fn pod_cause(pod: &Pod) -> (Rank, Cause) {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let statuses = |list: Option<&Vec<ContainerStatus>>| list.cloned().unwrap_or_default();
    let init = statuses(status.and_then(|status| status.init_container_statuses.as_ref()));
    let main = statuses(status.and_then(|status| status.container_statuses.as_ref()));
    let found = init
        .iter()
        .chain(&main)
        .filter_map(container_cause)
        .max_by_key(|(rank, _)| *rank);
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let found = found.or_else(|| unschedulable(conditions.unwrap_or_default()));
    let (rank, cause) = found.unwrap_or_else(|| waiting(pod, &main));
    let text = format!("pod {name}: {}", cause.text);
    (rank, Cause { text, ..cause })
}

/// What keeps one container from running.
fn container_cause(container: &ContainerStatus) -> Option<(Rank, Cause)> {
    let waiting = |state: &ContainerState| state.waiting.clone();
    let waiting = container.state.as_ref().and_then(waiting);
    let waiting = waiting.unwrap_or_default();
    let (reason, message) = (
        waiting.reason.unwrap_or_default(),
        waiting.message.unwrap_or_default(),
    );
    let ContainerStatus { name, image, .. } = container;
    let said = join(&reason, &message);
    if IMAGE.contains(&&*reason) {
        let cause = Cause {
            reason: "NotReadyImage",
            subject: image.clone(),
            text: format!("the image {image} of container {name} cannot be had: {said}"),
        };
        return Some((Rank::Image, cause));
    }
    if CONTAINER.contains(&&*reason) {
        let cause = Cause {
            reason: "NotReadyContainer",
            subject: name.clone(),
            text: format!("container {name} cannot be started: {said}"),
        };
        return Some((Rank::Container, cause));
    }
    crash(container, reason == "CrashLoopBackOff")
}

/// A container that ended badly, now or the last time.
fn crash(container: &ContainerStatus, is_looping: bool) -> Option<(Rank, Cause)> {
    let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    let ended = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()));
    let is_bad = |code: i32| code != 0 || is_looping;
    let Some(ended) = ended.filter(|ended| is_bad(ended.exit_code)) else {
        let name = &container.name;
        let text = format!("container {name} ends again and again");
        return is_looping.then(|| (Rank::Crash, crashed(name, text)));
    };
    let (name, code) = (&container.name, ended.exit_code);
    let reason = ended
        .reason
        .filter(|reason| reason != "Error" && reason != "Completed");
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let message = ended.message.unwrap_or_default();
    let message = Some(message.trim()).filter(|message| !message.is_empty());
    let message = message.map_or_else(String::new, |message| format!(": {message}"));
    let text = format!("container {name} ended with exit code {code}{reason}{message}");
    Some((Rank::Crash, crashed(name, text)))
}

fn crashed(name: &str, text: String) -> Cause {
    Cause {
        reason: "NotReadyCrash",
        subject: name.to_owned(),
        text,
    }
}

fn unschedulable(conditions: &[PodCondition]) -> Option<(Rank, Cause)> {
    let found = condition(conditions, "PodScheduled")?;
    if found.status != "False" {
        return None;
    }
    let said = found
        .message
        .as_deref()
        .unwrap_or("the scheduler does not say why");
    let cause = Cause {
        reason: "NotReadyUnschedulable",
        subject: String::new(),
        text: format!("no node takes it: {said}"),
    };
    Some((Rank::Unschedulable, cause))
}

/// A pod of which no container is in trouble.
fn waiting(pod: &Pod, containers: &[ContainerStatus]) -> (Rank, Cause) {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let conditions = conditions.unwrap_or_default();
    let is_true = |name| condition(conditions, name).is_some_and(|it| it.status == "True");
    if is_true("Ready") {
        let text = "it is ready, but no Service that routes lead to has it: do their selectors and ports fit?";
        return (
            Rank::Ready,
            cause_of("NotReadySelector", "", text.to_owned()),
        );
    }
    let is_running = |container: &&ContainerStatus| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.running.is_some()) && !container.ready
    };
    if let Some(container) = containers.iter().find(is_running) {
        let name = &container.name;
        let probe = if container.started == Some(false) {
            "startup"
        } else {
            "readiness"
        };
        let text = format!("container {name} runs, but its {probe} probe does not succeed");
        return (Rank::Probe, cause_of("NotReadyProbe", name, text));
    }
    if is_true("ContainersReady") {
        let gates = pod
            .spec
            .iter()
            .flat_map(|spec| spec.readiness_gates.iter().flatten());
        let gates: Vec<&str> = gates
            .map(|gate| gate.condition_type.as_str())
            .filter(|gate| !is_true(gate))
            .collect();
        let gates = gates.join(", ");
        let text = format!("its containers are ready, but its readiness gates are not: {gates}");
        return (Rank::Gate, cause_of("NotReadyGate", &gates, text));
    }
    let text = "its containers are still being made: a large image takes long, and so does a volume that is not \
                there";
    (
        Rank::Starting,
        cause_of("NotReadyStarting", "", text.to_owned()),
    )
}

fn cause_of(reason: &'static str, subject: &str, text: String) -> Cause {
    Cause {
        reason,
        subject: subject.to_owned(),
        text,
    }
}

fn condition<'a>(conditions: &'a [PodCondition], name: &str) -> Option<&'a PodCondition> {
    conditions.iter().find(|condition| condition.type_ == name)
}

fn join(reason: &str, message: &str) -> String {
    if message.is_empty() {
        return reason.to_owned();
    }
    format!("{reason}: {message}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, status: &Value) -> Pod {
        let pod = json!({"metadata": {"name": name}, "status": status});
        serde_json::from_value(pod).unwrap()
    }

    fn container(state: &Value) -> Value {
        let mut container = json!({
            "name": "app", "image": "shop:1", "imageID": "", "ready": false, "restartCount": 0,
        });
        container
            .as_object_mut()
            .unwrap()
            .extend(state.as_object().unwrap().clone());
        json!({"containerStatuses": [container]})
    }

    fn waiting_for(reason: &str, message: &str) -> Value {
        container(&json!({"state": {"waiting": {"reason": reason, "message": message}}}))
    }

    fn check(status: &Value, reason: &str, text: &str) {
        let found = cause(&[pod("web-1", status)], None);
        assert_eq!(found.reason, reason, "{found:?}");
        assert!(found.text.contains(text), "{found:?}");
        assert!(found.text.starts_with("pod web-1: "), "{found:?}");
    }

    #[test]
    fn images_that_cannot_be_had_are_named() {
        for reason in IMAGE {
            check(
                &waiting_for(reason, "not found"),
                "NotReadyImage",
                "image shop:1",
            );
        }
        check(
            &waiting_for("ErrImagePull", "no such host"),
            "NotReadyImage",
            "no such host",
        );
    }

    #[test]
    fn containers_that_cannot_be_made_say_why() {
        let status = waiting_for("CreateContainerConfigError", "secret \"db\" not found");
        check(&status, "NotReadyContainer", "secret \"db\" not found");
    }

    #[test]
    fn crashes_tell_exit_code_and_last_words_in_all_their_moments() {
        let ended = json!({"exitCode": 3, "reason": "Error", "message": "no database\n"});
        let text = "container app ended with exit code 3: no database";
        for state in [
            json!({"state": {"terminated": ended}}),
            json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}),
            json!({"state": {"running": {}}, "lastState": {"terminated": ended}}),
        ] {
            check(&container(&state), "NotReadyCrash", text);
        }
        let killed = json!({"exitCode": 137, "reason": "OOMKilled"});
        let status = container(&json!({"state": {"terminated": killed}}));
        check(&status, "NotReadyCrash", "exit code 137 (OOMKilled)");
        let status = waiting_for("CrashLoopBackOff", "back-off 10s");
        check(&status, "NotReadyCrash", "again and again");
    }

    #[test]
    fn init_containers_count() {
        let mut status = waiting_for("PodInitializing", "");
        let failed = container(&json!({"state": {"terminated": {"exitCode": 1}}}));
        status["initContainerStatuses"] = failed["containerStatuses"].clone();
        check(&status, "NotReadyCrash", "exit code 1");
    }

    #[test]
    fn a_container_that_ended_well_is_no_crash() {
        let mut status = container(&json!({"state": {"running": {}}}));
        let done = container(&json!({"state": {"terminated": {"exitCode": 0}}}));
        status["initContainerStatuses"] = done["containerStatuses"].clone();
        check(&status, "NotReadyProbe", "readiness probe");
    }

    #[test]
    fn the_scheduler_is_quoted() {
        let message = "0/3 nodes are available: 3 Insufficient cpu.";
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        let status = json!({"conditions": [condition]});
        check(&status, "NotReadyUnschedulable", message);
    }

    #[test]
    fn probes_are_told_apart() {
        let status = container(&json!({"state": {"running": {}}, "started": false}));
        check(&status, "NotReadyProbe", "its startup probe");
        let status = container(&json!({"state": {"running": {}}, "started": true}));
        check(&status, "NotReadyProbe", "its readiness probe");
    }

    #[test]
    fn a_ready_pod_points_at_the_service() {
        let status = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        check(&status, "NotReadySelector", "selectors and ports");
    }

    #[test]
    fn readiness_gates_are_named() {
        let mut pod = pod(
            "web-1",
            &json!({"conditions": [
                {"type": "ContainersReady", "status": "True"},
                {"type": "example.com/lb", "status": "False"},
            ]}),
        );
        let spec =
            json!({"containers": [], "readinessGates": [{"conditionType": "example.com/lb"}]});
        pod.spec = serde_json::from_value(spec).unwrap();
        let found = cause(&[pod], None);
        assert_eq!(
            (found.reason, &*found.subject),
            ("NotReadyGate", "example.com/lb")
        );
    }

    #[test]
    fn a_pod_without_news_is_starting() {
        check(
            &waiting_for("ContainerCreating", ""),
            "NotReadyStarting",
            "still being made",
        );
        check(&json!({}), "NotReadyStarting", "still being made");
    }

    #[test]
    fn the_most_telling_pod_speaks_and_the_first_of_equals() {
        let pods = [
            pod("web-3", &waiting_for("ErrImagePull", "third")),
            pod("web-2", &waiting_for("ErrImagePull", "second")),
            pod("web-1", &waiting_for("ContainerCreating", "")),
        ];
        let found = cause(&pods, None);
        assert!(found.text.starts_with("pod web-2: "), "{found:?}");
    }

    #[test]
    fn without_a_pod_the_workload_speaks() {
        let quota = "pods \"web-1\" is forbidden: exceeded quota: small";
        assert_eq!(cause(&[], Some(quota)).reason, "NotReadyQuota");
        assert_eq!(
            cause(&[], Some("no service account")).reason,
            "NotReadyNoPod"
        );
        assert_eq!(cause(&[], None).reason, "NotReadyNoPod");
        let mut going = pod("web-1", &json!({}));
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(cause(&[going], Some(quota)).reason, "NotReadyQuota");
    }
}
