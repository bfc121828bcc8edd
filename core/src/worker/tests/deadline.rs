//! The deadline of a whole request, its hold included.

use super::*;

fn within(timeout: Duration) -> Policy {
    Policy {
        request_timeout: Some(timeout),
        ..Policy::default()
    }
}

fn left(decision: &Decision) -> Option<u64> {
    match decision {
        Decision::PassWithin(left) => Some(left.as_millis()),
        Decision::Pass | Decision::Hold | Decision::Answer(_) | Decision::Reply(_) => None,
    }
}

#[test]
fn a_request_that_passes_has_all_of_it() {
    let mut ready = worker(within(3_000 * MS), backend(1));
    assert_eq!(
        left(&ready.on_request(START, RequestId(1), &GET)),
        Some(3_000)
    );
    let probe = Get {
        agent: "kube-probe/1.36",
        ..GET
    };
    assert_eq!(
        left(&ready.on_request(START, RequestId(2), &probe)),
        Some(3_000),
        "one that wakes nothing too"
    );
    let report = ready.next_report(START).unwrap();
    assert_eq!(report.keys[0].started, 1);
}

#[test]
fn a_request_that_was_held_has_what_the_hold_left() {
    let mut worker = worker(within(3_000 * MS), backend(0));
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Hold);
    let later = START + 700 * MS;
    worker.apply(later, readiness(1));
    worker.poll(later, 16);
    prove(&mut worker, later);
    let actions = worker.poll(later, 16);
    let [Action::Resume { left, .. }] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(left.map(TimeLeft::as_millis), Some(2_300));
}

#[test]
fn a_hold_ends_with_the_earlier_of_both_time_outs() {
    for (hold, request, end) in [(5_000, 2_000, 2_000), (1_000, 2_000, 1_000)] {
        let policy = Policy {
            hold_timeout: hold * MS,
            ..within(request * MS)
        };
        let mut worker = worker(policy, backend(0));
        worker.on_request(START, RequestId(1), &GET);
        let end = START + end * MS;
        assert_eq!(worker.next_poll(START), Some(end));
        let actions = worker.poll(end, 16);
        let [Action::Answer(RequestId(1), answer)] = actions.as_slice() else {
            panic!("{actions:?}");
        };
        assert_eq!((answer.reason, answer.status), (Reason::HoldTimeout, 504));
    }
}

#[test]
fn a_deadline_that_changes_is_that_of_what_is_held_already() {
    let mut worker = worker(within(9_000 * MS), backend(0));
    worker.on_request(START, RequestId(1), &GET);
    worker.apply(START, table(within(4_000 * MS), backend(0)));
    assert_eq!(worker.next_poll(START), Some(START + 4_000 * MS));
    let later = START + 1_000 * MS;
    worker.apply(later, readiness(1));
    worker.poll(later, 16);
    prove(&mut worker, later);
    let actions = worker.poll(later, 16);
    let [Action::Resume { left, .. }] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(left.map(TimeLeft::as_millis), Some(3_000));
}
