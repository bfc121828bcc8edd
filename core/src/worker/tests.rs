//! What a worker does with requests, told as sentences.

mod deadline;
mod stand_in;
mod table;

use super::*;
use crate::{
    Backend, HostMatch, NoWake, NoWakeMatch, PathMatch, Policy, ProbeOutcome, TableUpdate,
};

const MS: Duration = Duration::from_millis(1);
const START: Duration = Duration::from_secs(1_000);
const UH: ResponseFlags = ResponseFlags(0x2);

/// A request with a few headers.
#[derive(Clone, Debug)]
struct Get {
    path: &'static str,
    agent: &'static str,
    cluster: Option<&'static str>,
}

const GET: Get = Get {
    path: "/",
    agent: "curl/8",
    cluster: Some("shop/web/80"),
};

impl RequestHead for Get {
    fn method(&self) -> Cow<'_, [u8]> {
        b"GET".into()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        (name == "user-agent").then(|| self.agent.as_bytes().into())
    }
}

impl Request for Get {
    fn host(&self) -> Cow<'_, [u8]> {
        b"shop.example:8080".into()
    }

    fn path(&self) -> Cow<'_, [u8]> {
        self.path.as_bytes().into()
    }

    fn cluster(&self) -> Option<Cow<'_, [u8]>> {
        self.cluster.map(|cluster| cluster.as_bytes().into())
    }
}

fn web() -> BackendId {
    BackendId::new("shop", "web", 80)
}

fn route(policy: Policy) -> Route {
    Route {
        id: RouteId::from("HTTPRoute/shop/web/0/0"),
        created_ms: 0,
        listed: false,
        hosts: vec![HostMatch::Exact("shop.example".to_owned())],
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
        targets: vec![Target {
            backend: web(),
            key: Key::service("shop", "web"),
            weight: 1,
        }],
        policy: Arc::new(policy),
    }
}

fn backend(ready_endpoints: u32) -> Backend {
    Backend {
        ready_endpoints,
        ..Backend::asleep(web())
    }
}

fn table(policy: Policy, backend: Backend) -> TableUpdate {
    TableUpdate {
        full: true,
        version: "v1".to_owned(),
        routes: vec![route(policy)],
        backends: vec![backend],
        ..TableUpdate::default()
    }
}

/// A worker that has its first table, and a connection to both servers.
fn worker(policy: Policy, backend: Backend) -> Worker {
    let limits = Limits {
        max_held: 100,
        probe: true,
    };
    let mut worker = Worker::new(START, limits);
    worker.set_connected(START, true);
    worker.apply(START, table(policy, backend));
    worker.report_opened();
    worker
}

fn readiness(ready_endpoints: u32) -> TableUpdate {
    TableUpdate {
        version: format!("ready {ready_endpoints}"),
        backends: vec![backend(ready_endpoints)],
        ..TableUpdate::default()
    }
}

fn answered(decision: Decision) -> Option<Reason> {
    match decision {
        Decision::Answer(answer) => Some(answer.reason),
        Decision::Pass | Decision::PassWithin(_) | Decision::Hold | Decision::Reply(_) => None,
    }
}

fn resumed(actions: &[Action]) -> Vec<u32> {
    let ids = actions.iter().filter_map(|action| match action {
        Action::Resume { id, .. } => Some(id.0),
        Action::Reconsider(_) | Action::Answer(..) | Action::Probe { .. } => None,
    });
    ids.collect()
}

fn look(now: Duration, flags: Option<ResponseFlags>) -> Look {
    Look { now, flags }
}

fn prove(worker: &mut Worker, now: Duration) {
    worker.on_probe(now, &web(), ProbeOutcome::Proof);
}

#[test]
fn a_request_to_a_sleeping_backend_is_held_reported_proved_and_released() {
    let mut worker = worker(Policy::default(), backend(0));
    worker.next_report(START);
    worker.report_acked(1, false);
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Hold);
    let report = worker.next_report(START).expect("the edge reports at once");
    assert_eq!(
        (report.sequence, report.keys.len(), report.keys[0].held),
        (2, 1, 1)
    );

    let later = START + 700 * MS;
    worker.apply(later, readiness(1));
    let probe = Action::Probe {
        via: RequestId(1),
        backend: web(),
    };
    assert_eq!(worker.poll(later, 16), [probe]);
    prove(&mut worker, later);
    let resume = Action::Resume {
        id: RequestId(1),
        held: Some(700 * MS),
        left: None,
    };
    assert_eq!(worker.poll(later, 16), [resume]);
    let marks = worker.on_response(RequestId(1), 9, || look(later, None));
    assert_eq!(marks.held, Some(700 * MS));
    worker.on_end(later, RequestId(1));
    worker.report_acked(2, false);
    let report = worker.next_report(later + 1_000 * MS).unwrap();
    let key = &report.keys[0];
    assert_eq!(
        (key.held, key.running, key.started, key.ended),
        (0, 0, 1, 1)
    );
    assert_eq!(key.integral_ms, 700);
    assert_eq!(worker.take_tally().cold_starts, [700 * MS]);
}

#[test]
fn a_ready_backend_passes_and_is_counted_until_the_stream_ends() {
    let mut worker = worker(Policy::default(), backend(1));
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Pass);
    let marks = worker.on_response(RequestId(1), 9, || panic!("not Envoy's own"));
    assert_eq!(marks, Marks::default());
    let report = worker.next_report(START + 60_000 * MS).unwrap();
    assert_eq!(
        (report.keys[0].running, report.keys[0].integral_ms),
        (1, 60_000)
    );
    worker.on_end(START + 60_000 * MS, RequestId(1));
    worker.on_end(START + 60_000 * MS, RequestId(1));
    worker.report_acked(1, false);
    let report = worker.next_report(START + 61_000 * MS).unwrap();
    assert_eq!((report.keys[0].running, report.keys[0].ended), (0, 1));
}

#[test]
fn a_health_check_wakes_nothing_and_enters_no_number() {
    let mut policy = Policy::default();
    policy.no_wake.push(NoWake {
        what: NoWakeMatch::PathPrefix("/livez".to_owned()),
        status: 204,
    });
    for (get, status) in [
        (
            Get {
                agent: "kube-probe/1.36",
                ..GET
            },
            200,
        ),
        (
            Get {
                path: "/livez",
                ..GET
            },
            204,
        ),
    ] {
        let mut asleep = worker(policy.clone(), backend(0));
        let Decision::Answer(answer) = asleep.on_request(START, RequestId(1), &get) else {
            panic!("{get:?}");
        };
        assert_eq!((answer.reason, answer.status), (Reason::NoWake, status));
        assert!(asleep.next_report(START).unwrap().keys.is_empty());
        let mut ready = worker(policy.clone(), backend(1));
        assert_eq!(ready.on_request(START, RequestId(1), &get), Decision::Pass);
        ready.on_end(START, RequestId(1));
        assert!(ready.next_report(START).unwrap().keys.is_empty());
    }
}

#[test]
fn what_cannot_be_held_is_answered_and_still_wakes() {
    let policy = Policy {
        max_held: 1,
        overflow_status: 429,
        ..Policy::default()
    };
    let mut full = worker(policy.clone(), backend(0));
    assert_eq!(full.on_request(START, RequestId(1), &GET), Decision::Hold);
    let Decision::Answer(answer) = full.on_request(START, RequestId(2), &GET) else {
        panic!("overflow");
    };
    assert_eq!((answer.reason, answer.status), (Reason::Overflow, 429));
    assert!(answer.retry_after.is_some());
    full.on_end(START, RequestId(2));
    let report = full.next_report(START).unwrap();
    assert_eq!(
        (
            report.keys[0].held,
            report.keys[0].shed,
            report.keys[0].started
        ),
        (1, 1, 2)
    );
    full.on_end(START, RequestId(1));
    assert_eq!(
        full.on_request(START, RequestId(3), &GET),
        Decision::Hold,
        "its place is free"
    );

    let mut no_cluster = worker(policy.clone(), backend(0));
    let get = Get {
        cluster: None,
        ..GET
    };
    let decision = no_cluster.on_request(START, RequestId(1), &get);
    assert_eq!(answered(decision), Some(Reason::NoCluster));
    assert_eq!(no_cluster.next_report(START).unwrap().keys[0].started, 1);

    let paused = Backend {
        paused: true,
        ..backend(0)
    };
    let mut paused = worker(policy, paused);
    let decision = paused.on_request(START, RequestId(1), &GET);
    assert_eq!(answered(decision), Some(Reason::Paused));
}

#[test]
fn a_hold_ends_with_504_at_its_time_out_and_the_client_is_told_when_to_come_back() {
    let mut worker = worker(Policy::default(), backend(0));
    worker.on_request(START, RequestId(1), &GET);
    let end = START + Policy::default().hold_timeout;
    let before = end.saturating_sub(MS);
    assert_eq!(worker.poll(before, 16), []);
    assert_eq!(worker.next_poll(before), Some(end));
    let actions = worker.poll(end, 16);
    let [Action::Answer(RequestId(1), answer)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!((answer.reason, answer.status), (Reason::HoldTimeout, 504));
    assert_eq!(answer.held, Some(Policy::default().hold_timeout));
    worker.on_end(end, RequestId(1));
    let report = worker.next_report(end).unwrap();
    assert_eq!(
        (
            report.keys[0].held,
            report.keys[0].running,
            report.keys[0].ended
        ),
        (0, 0, 1)
    );
}

#[test]
fn no_call_carries_out_more_than_its_budget_and_nothing_is_forgotten() {
    let mut worker = worker(Policy::default(), backend(0));
    for id in 0..100 {
        assert_eq!(
            worker.on_request(START, RequestId(id), &GET),
            Decision::Hold
        );
    }
    let end = START + Policy::default().hold_timeout;
    let sizes: Vec<usize> = (0..8).map(|_| worker.poll(end, 16).len()).collect();
    assert_eq!(sizes, [16, 16, 16, 16, 16, 16, 4, 0]);
    assert_eq!((worker.n_held(), worker.next_poll(end)), (0, None));
}

#[test]
fn the_last_table_stays_when_the_control_plane_is_gone_and_a_proof_alone_releases() {
    let mut worker = worker(Policy::default(), backend(0));
    worker.set_connected(START, false);
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Hold);
    let actions = worker.poll(START, 16);
    assert!(
        matches!(actions.as_slice(), [Action::Probe { .. }]),
        "{actions:?}"
    );
    prove(&mut worker, START);
    assert_eq!(resumed(&worker.poll(START, 16)), [1]);
    worker.on_end(START, RequestId(1));
    assert_eq!(worker.on_request(START, RequestId(2), &GET), Decision::Pass);
    worker.on_end(START, RequestId(2));
    worker.set_connected(START, true);
    let decision = worker.on_request(START, RequestId(3), &GET);
    assert_eq!(decision, Decision::Hold, "the word still is: none ready");
}

#[test]
fn a_503_without_a_host_teaches_zero_and_the_next_request_is_held() {
    let mut worker = worker(Policy::default(), backend(1));
    worker.on_request(START, RequestId(1), &GET);
    worker.on_response(RequestId(1), 3, || look(START, Some(UH)));
    worker.on_end(START, RequestId(1));
    assert_eq!(worker.on_request(START, RequestId(2), &GET), Decision::Hold);
    assert_eq!(worker.take_tally().learned_zero, 1);
}

#[test]
fn one_report_is_in_flight_at_a_time_and_the_rest_coalesces() {
    let mut worker = worker(Policy::default(), backend(1));
    assert_eq!(
        worker.next_report(START).map(|report| report.sequence),
        Some(1)
    );
    for id in 0..5 {
        worker.on_request(START, RequestId(id), &GET);
    }
    assert_eq!(worker.next_report(START + 5_000 * MS), None);
    worker.report_acked(1, false);
    let report = worker.next_report(START + 5_000 * MS).unwrap();
    assert_eq!((report.sequence, report.keys[0].running), (2, 5));
    worker.report_opened();
    let report = worker.next_report(START + 5_000 * MS).unwrap();
    assert!(report.full && report.sequence == 3 && report.keys[0].started == 5);
}
