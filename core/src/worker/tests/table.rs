//! Before the first table, and when it changes under requests that are held.

use super::*;

#[test]
fn requests_before_the_first_table_wait_and_are_asked_about_again() {
    let limits = Limits {
        max_held: 100,
        probe: true,
    };
    let mut worker = Worker::new(START, limits);
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Hold);
    assert_eq!(worker.poll(START, 16), []);
    worker.apply(START, table(Policy::default(), backend(1)));
    assert_eq!(worker.poll(START, 16), [Action::Reconsider(RequestId(1))]);
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Pass);
}

#[test]
fn a_worker_that_never_had_a_table_lets_all_pass_after_a_second() {
    let limits = Limits {
        max_held: 100,
        probe: true,
    };
    let mut worker = Worker::new(START, limits);
    for id in 0..1_000 {
        assert_eq!(
            worker.on_request(START, RequestId(id), &GET),
            Decision::Hold
        );
    }
    assert_eq!(
        worker.on_request(START, RequestId(1_000), &GET),
        Decision::Pass,
        "no room to wait"
    );
    let after = START + FIRST_WAIT;
    assert_eq!(worker.next_poll(START), Some(after));
    assert_eq!(resumed(&worker.poll(after, 16)).len(), 16);
    assert_eq!(
        worker.on_request(after, RequestId(2_000), &GET),
        Decision::Pass
    );
    assert_eq!(worker.take_tally().passed_without_table, 18);
}

#[test]
fn a_removed_route_lets_its_held_requests_go_on() {
    let mut worker = worker(Policy::default(), backend(0));
    worker.on_request(START, RequestId(1), &GET);
    let mut update = readiness(0);
    update
        .removed_routes
        .push(RouteId::from("HTTPRoute/shop/web/0/0"));
    update.removed_backends.push(web());
    update.backends.clear();
    worker.apply(START, update);
    assert_eq!(resumed(&worker.poll(START, 16)), [1]);
    assert_eq!(worker.on_request(START, RequestId(2), &GET), Decision::Pass);
    worker.on_end(START, RequestId(1));
    worker.poll(START, 16);
    assert_eq!(
        (worker.backends.len(), worker.busy.len(), worker.known.len()),
        (0, 0, 0)
    );
}

#[test]
fn a_shorter_time_out_applies_to_those_held_already() {
    let mut worker = worker(Policy::default(), backend(0));
    worker.on_request(START, RequestId(1), &GET);
    let shorter = Policy {
        hold_timeout: 2_000 * MS,
        ..Policy::default()
    };
    worker.apply(START, table(shorter, backend(0)));
    assert_eq!(worker.next_poll(START), Some(START + 2_000 * MS));
    assert_eq!(worker.poll(START + 2_000 * MS, 16).len(), 1);
}

#[test]
fn the_digest_names_the_keys_of_the_table_and_the_scaler_may_ask_for_them() {
    let mut worker = worker(Policy::default(), backend(0));
    let report = worker.next_report(START).unwrap();
    assert_eq!(report.known_digest, Key::service("shop", "web").digest());
    assert_eq!(report.known_keys, None);
    worker.report_acked(1, true);
    let report = worker.next_report(START).unwrap();
    assert_eq!(report.known_keys, Some(vec![Key::service("shop", "web")]));
    worker.apply(
        START,
        TableUpdate {
            full: true,
            version: "empty".to_owned(),
            ..TableUpdate::default()
        },
    );
    worker.report_acked(2, false);
    assert_eq!(
        worker.next_report(START + 1_000 * MS).unwrap().known_digest,
        0
    );
}

#[test]
fn of_several_backends_the_picked_one_is_counted_and_ready_ones_are_not_held() {
    let mut routes = table(Policy::default(), backend(0));
    let canary = BackendId::new("shop", "canary", 80);
    routes.routes[0].targets.push(Target {
        backend: canary.clone(),
        key: Key::service("shop", "canary"),
        weight: 1,
    });
    routes.backends.push(Backend {
        ready_endpoints: 1,
        ..Backend::asleep(canary)
    });
    let mut worker = worker(Policy::default(), backend(0));
    worker.apply(START, routes);
    let canary = Get {
        cluster: Some("shop/canary/80"),
        ..GET
    };
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Hold);
    assert_eq!(
        worker.on_request(START, RequestId(2), &canary),
        Decision::Pass
    );
    let unknown = Get {
        cluster: Some("other"),
        ..GET
    };
    assert_eq!(
        worker.on_request(START, RequestId(3), &unknown),
        Decision::Pass
    );
    let report = worker.next_report(START).unwrap();
    let mut keys: Vec<_> = report
        .keys
        .iter()
        .map(|key| (key.key.as_str(), key.held, key.running))
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [("service/shop/canary", 0, 2), ("service/shop/web", 1, 0)]
    );
}
