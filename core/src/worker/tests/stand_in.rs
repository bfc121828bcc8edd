//! What is answered in the words of the route's object.

use super::*;
use crate::{Body, Placeholder, RequestMatch, StaticAnswer, StaticRoute};

fn answer(status: u16) -> Arc<StaticAnswer> {
    Arc::new(StaticAnswer {
        status,
        headers: vec![],
        body: Body::Text("soon".to_owned()),
    })
}

fn placeholder(overflow_only: bool) -> Policy {
    Policy {
        max_held: 1,
        placeholder: Some(Placeholder {
            answer: answer(202),
            overflow_only,
        }),
        ..Policy::default()
    }
}

fn static_route(path: &str, status: u16, always: bool) -> StaticRoute {
    StaticRoute {
        requests: vec![RequestMatch {
            path_prefixes: vec![path.to_owned()],
            ..RequestMatch::default()
        }],
        answer: answer(status),
        always,
    }
}

fn status(decision: &Decision) -> Option<u16> {
    match decision {
        Decision::Reply(reply) => Some(reply.parts().status),
        Decision::Pass | Decision::PassWithin(_) | Decision::Hold | Decision::Answer(_) => None,
    }
}

fn ask(worker: &mut Worker, id: u32, get: &Get) -> Option<u16> {
    status(&worker.on_request(START, RequestId(id), get))
}

#[test]
fn a_placeholder_is_answered_at_once_counted_and_wakes() {
    let mut worker = worker(placeholder(false), backend(0));
    worker.next_report(START);
    worker.report_acked(1, false);
    assert_eq!(ask(&mut worker, 1, &GET), Some(202));
    assert_eq!((worker.n_held(), worker.next_poll(START)), (0, None));
    let report = worker.next_report(START).expect("the report hurries");
    let key = &report.keys[0];
    assert_eq!((key.started, key.ended), (1, 1));
    assert_eq!((key.held, key.running, key.shed), (0, 0, 1));
    // Its end is one of a request that is not known.
    assert!(!worker.on_end(START, RequestId(1)));
    let tally = worker.take_tally();
    assert_eq!((tally.placeholder, tally.overflow, tally.held), (1, 0, 0));
}

#[test]
fn placeholders_hurry_one_report_a_second() {
    let mut worker = worker(placeholder(false), backend(0));
    let mut n_reports = 0;
    for at in 0..2_500 {
        let now = START + at * MS;
        worker.on_request(now, RequestId(at), &GET);
        if let Some(report) = worker.next_report(now) {
            n_reports += 1;
            worker.report_acked(report.sequence, false);
        }
    }
    assert!((3..=6).contains(&n_reports), "{n_reports}");
}

#[test]
fn a_placeholder_is_not_for_a_backend_that_is_ready() {
    let mut worker = worker(placeholder(false), backend(1));
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Pass);
    worker.on_response(RequestId(1), 3, || look(START, Some(UH)));
    assert_eq!(
        worker.on_request(START, RequestId(2), &GET),
        Decision::Hold,
        "what is in doubt is proved by a request that is held"
    );
    assert_eq!(ask(&mut worker, 3, &GET), Some(202), "no room beside it");
}

#[test]
fn a_placeholder_for_overflow_is_for_what_finds_no_room() {
    let mut worker = worker(placeholder(true), backend(0));
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Hold);
    assert_eq!(ask(&mut worker, 2, &GET), Some(202));
    let key = &worker.next_report(START).unwrap().keys[0];
    assert_eq!((key.held, key.started, key.ended), (1, 2, 1));
    worker.on_end(START, RequestId(1));
    assert_eq!(worker.on_request(START, RequestId(3), &GET), Decision::Hold);
    let tally = worker.take_tally();
    assert_eq!((tally.placeholder, tally.overflow), (1, 0));

    let paused = Backend {
        paused: true,
        ..backend(0)
    };
    let mut paused = super::worker(placeholder(true), paused);
    let decision = paused.on_request(START, RequestId(1), &GET);
    assert_eq!(answered(decision), Some(Reason::Paused));
}

#[test]
fn a_static_route_is_answered_when_the_backend_is_asleep_or_always_and_never_counted() {
    let policy = Policy {
        static_routes: vec![
            static_route("/a", 210, false),
            static_route("/b", 211, true),
            static_route("/a/b", 212, true),
        ],
        ..placeholder(false)
    };
    let at = |path| Get { path, ..GET };
    for (n_ready, path, expected) in [
        (0, "/a?x", Some(210)),
        (0, "/a/b", Some(210)),
        (0, "/b/c", Some(211)),
        (1, "/a", None),
        (1, "/a/b", None),
        (1, "/b", Some(211)),
    ] {
        let mut worker = worker(policy.clone(), backend(n_ready));
        let decision = worker.on_request(START, RequestId(1), &at(path));
        assert_eq!(status(&decision), expected, "{path}, {n_ready} ready");
        assert_eq!(decision == Decision::Pass, expected.is_none());
        worker.on_end(START, RequestId(1));
        assert!(worker.next_report(START).unwrap().keys.is_empty());
        let tally = worker.take_tally();
        assert_eq!(tally.static_route, u64::from(expected.is_some()));
    }
    let mut worker = worker(policy, backend(0));
    assert_eq!(ask(&mut worker, 1, &at("/c")), Some(202), "the placeholder");
}

#[test]
fn a_static_route_comes_before_what_wakes_nothing() {
    let policy = Policy {
        static_routes: vec![static_route("/", 210, true)],
        ..Policy::default()
    };
    let mut worker = worker(policy, backend(0));
    let probe = Get {
        agent: "kube-probe/1.36",
        ..GET
    };
    assert_eq!(ask(&mut worker, 1, &probe), Some(210));
}
