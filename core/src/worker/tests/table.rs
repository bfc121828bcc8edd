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
        (
            worker.backends.values().count(),
            worker.busy.len(),
            worker.known.len()
        ),
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

#[test]
fn a_request_ends_under_its_own_key_whatever_table_came_meanwhile() {
    let shop = |name: &str| TableUpdate {
        full: true,
        version: name.to_owned(),
        routes: vec![Route {
            targets: vec![Target {
                backend: BackendId::new("shop", name, 80),
                key: Key::service("shop", name),
                weight: 1,
            }],
            ..route(Policy::default())
        }],
        backends: vec![Backend {
            ready_endpoints: 1,
            ..Backend::asleep(BackendId::new("shop", name, 80))
        }],
        ..TableUpdate::default()
    };
    let mut worker = worker(Policy::default(), backend(1));
    let id = RequestId;
    let told = |worker: &mut Worker, at: u64| {
        let report = worker.next_report(START + 1_000 * MS * u32::try_from(at).unwrap());
        let report = report.unwrap();
        worker.report_acked(report.sequence, false);
        let mut keys: Vec<_> = report.keys.into_iter().collect();
        keys.sort_by(|a, b| a.key.cmp(&b.key));
        let numbers = keys.into_iter();
        numbers
            .map(|count| (count.key.to_string(), count.running, count.ended))
            .collect::<Vec<_>>()
    };
    let of = |name: &str, running, ended| (format!("service/shop/{name}"), running, ended);

    assert_eq!(worker.on_request(START, id(1), &GET), Decision::Pass);
    assert_eq!(told(&mut worker, 0), [of("web", 1, 0)]);
    // Gone from the table with its backend, whose places are those of others from now on.
    worker.apply(START, shop("a"));
    assert_eq!(worker.on_request(START, id(2), &GET), Decision::Pass);
    worker.apply(START, shop("b"));
    assert_eq!(worker.on_request(START, id(3), &GET), Decision::Pass);
    assert_eq!(told(&mut worker, 1), [of("a", 1, 0), of("b", 1, 0)]);
    worker.on_end(START, id(1));
    worker.on_end(START, id(3));
    assert_eq!(told(&mut worker, 2), [of("b", 0, 1), of("web", 0, 1)]);
    // Back under its own name, and a request of before still ends where it started.
    worker.apply(START, shop("web"));
    worker.apply(START, shop("a"));
    assert_eq!(worker.on_request(START, id(4), &GET), Decision::Pass);
    worker.on_end(START, id(2));
    assert_eq!(told(&mut worker, 3), [of("a", 1, 1)]);
    worker.on_end(START, id(4));
    assert_eq!(told(&mut worker, 4), [of("a", 0, 2)]);
    assert_eq!(worker.backends.values().count(), 1);
}

#[test]
fn a_request_in_flight_teaches_nothing_to_the_backend_that_has_its_place() {
    let mut worker = worker(Policy::default(), backend(1));
    assert_eq!(worker.on_request(START, RequestId(1), &GET), Decision::Pass);
    let other = BackendId::new("shop", "other", 80);
    let mut update = table(Policy::default(), backend(1));
    update.backends = vec![Backend {
        ready_endpoints: 1,
        ..Backend::asleep(other.clone())
    }];
    update.routes[0].targets[0].backend = other;
    // The first takes the old one out, the second puts the other one into its place.
    worker.apply(
        START,
        TableUpdate {
            full: true,
            ..TableUpdate::default()
        },
    );
    worker.apply(START, update);
    worker.on_response(RequestId(1), 3, || look(START, Some(UH)));
    assert_eq!(worker.take_tally().learned_zero, 0);
    assert_eq!(worker.on_request(START, RequestId(2), &GET), Decision::Pass);
}
