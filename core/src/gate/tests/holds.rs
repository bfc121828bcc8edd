//! Holding: deadlines, ends, pauses, removals.

use super::*;

#[test]
fn an_asleep_backend_holds_and_does_nothing_until_the_first_deadline() {
    let mut bench = Bench::asleep();
    bench.hold(0..3);
    assert!(!bench.gate.admits());
    assert_eq!(bench.gate.n_held(), 3);
    assert_eq!(bench.poll(), []);
    let deadline = bench.at() + Duration::from_mins(1);
    assert_eq!(bench.gate.next_poll(bench.at()), Some(deadline));
}

#[test]
fn a_deadline_ends_a_hold_in_every_state() {
    let learned = || {
        let mut bench = Bench::ready();
        bench.gate.learn_zero(bench.at());
        bench
    };
    let proving = || {
        let mut bench = Bench::asleep();
        bench.hold([90]);
        bench.word(1);
        bench
    };
    for (name, mut bench) in [
        ("asleep", Bench::asleep()),
        ("learned zero", learned()),
        ("proving", proving()),
        ("thawing", Bench::thawing(40)),
    ] {
        let deadline = bench.at() + Duration::from_millis(1);
        let held = Held {
            id: RequestId(99),
            route: RouteId::from("route"),
            since: bench.at(),
            deadline,
            long: false,
        };
        bench.gate.hold(bench.at(), held);
        assert_ne!(
            bench.poll().first(),
            Some(&GateAction::TimeOut(RequestId(99)))
        );
        bench.pass(1);
        assert_eq!(bench.gate.next_poll(bench.at()), Some(deadline), "{name}");
        assert!(
            bench.poll().contains(&GateAction::TimeOut(RequestId(99))),
            "{name}"
        );
        assert!(!bench.end(99), "{name}");
    }
}

#[test]
fn a_budget_is_kept_and_the_rest_comes_with_the_next_poll() {
    let mut bench = Bench::asleep();
    bench.hold(0..40);
    bench.pass(60_000);
    assert_eq!(bench.poll().len(), BUDGET);
    assert_eq!(bench.gate.next_poll(bench.at()), Some(bench.at()));
    assert_eq!(bench.drain().len(), 40 - BUDGET);
    assert_eq!(
        (bench.gate.n_held(), bench.gate.next_poll(bench.at())),
        (0, None)
    );
}

#[test]
fn an_end_gives_a_held_request_back_once() {
    let mut bench = Bench::asleep();
    bench.hold(0..2);
    assert!(bench.end(0));
    assert!(!bench.end(0));
    assert!(!bench.end(77));
    assert_eq!(bench.gate.n_held(), 1);
    assert!(bench.end(1));
    assert!(bench.gate.is_idle());
}

#[test]
fn an_id_that_is_held_already_is_held_once() {
    let mut bench = Bench::asleep();
    bench.hold([5, 5]);
    assert_eq!(bench.gate.n_held(), 1);
    assert!(bench.end(5));
    assert!(!bench.end(5));
}

#[test]
fn a_paused_backend_refuses_in_order() {
    let mut bench = Bench::asleep();
    bench.hold(0..3);
    bench.backend.paused = true;
    bench.word(0);
    let refused = (0..3).map(|id| GateAction::RefusePaused(RequestId(id)));
    assert_eq!(bench.drain(), refused.collect::<Vec<_>>());
}

#[test]
fn a_paused_backend_with_an_endpoint_thaws_what_is_held() {
    let mut bench = Bench::without_probe();
    bench.hold([0]);
    bench.backend.paused = true;
    bench.word(1);
    assert_eq!(bench.released(), [0]);
}

#[test]
fn a_new_time_out_counts_from_when_each_was_held() {
    let mut bench = Bench::asleep();
    bench.hold_on("a", 0, false);
    bench.pass(5_000);
    bench.hold_on("a", 1, false);
    bench.hold_on("b", 2, false);
    bench
        .gate
        .set_deadlines(&RouteId::from("a"), Duration::from_secs(4));
    assert_eq!(bench.poll(), [GateAction::TimeOut(RequestId(0))]);
    bench.pass(4_000);
    assert_eq!(bench.poll(), [GateAction::TimeOut(RequestId(1))]);
    assert_eq!(bench.gate.n_held(), 1);
}

#[test]
fn a_removed_route_lets_its_own_go_in_order_and_without_proof() {
    let mut bench = Bench::asleep();
    for id in 0..6 {
        bench.hold_on(if id % 2 == 0 { "gone" } else { "kept" }, id, false);
    }
    bench.gate.let_go(bench.at(), Some(&RouteId::from("gone")));
    assert_eq!(bench.released(), [0, 2, 4]);
    assert_eq!(bench.gate.state(), GateState::Asleep);
    assert_eq!(bench.gate.n_held(), 3);
}

#[test]
fn a_removed_backend_lets_all_go_at_the_pace_of_a_first_window_and_may_be_dropped() {
    let mut bench = Bench::ready();
    bench.gate.learn_zero(bench.at());
    bench.hold(0..40);
    bench.gate.let_go(bench.at(), None);
    let first = bench.released();
    assert_eq!(first, (0..32).collect::<Vec<_>>());
    for id in first {
        bench.lose(id, Loss::NoHost);
    }
    let rest = bench.released();
    assert_eq!(rest, (32..40).collect::<Vec<_>>());
    assert!(!bench.gate.is_idle());
    bench.answer_all(&rest);
    assert!(bench.gate.is_idle());
}

#[test]
fn of_two_routes_let_go_the_earlier_hold_goes_first_during_a_thaw() {
    let mut bench = Bench::thawing(0);
    bench.word(0);
    bench.hold_on("kept", 0, false);
    bench.hold_on("gone", 1, false);
    bench.hold_on("kept", 2, false);
    bench.word(1);
    bench.gate.let_go(bench.at(), Some(&RouteId::from("gone")));
    // The canary, and what needs none.
    assert_eq!(bench.released(), [0, 1]);
    bench.answer(0);
    assert_eq!(bench.released(), [2]);
}

#[test]
fn thousands_leave_no_trace() {
    let mut bench = Bench::asleep();
    bench.hold(0..20_000);
    for id in (0..20_000).rev() {
        assert!(bench.end(id));
    }
    assert!(bench.gate.is_idle());
    assert_eq!(bench.gate.next_poll(bench.at()), None);
}

#[test]
fn a_clock_that_steps_back_is_survived() {
    let mut bench = Bench::open(100);
    bench.now = 10;
    let first = bench.released();
    assert_eq!(first.len(), 32);
    bench.now = 5;
    bench.answer_all(&first);
    assert!(bench.n_released() > 0);
}

#[test]
fn a_paused_backend_is_not_asked_even_with_the_control_plane_gone() {
    let mut bench = Bench::asleep();
    bench.hold(0..40);
    bench.backend.paused = true;
    bench.word(0);
    bench.gate.set_control_plane(bench.at(), false);
    let is_refusal = |action: &GateAction| matches!(action, GateAction::RefusePaused(_));
    assert!(bench.poll().iter().all(is_refusal));
    assert_eq!(bench.gate.n_held(), 40 - BUDGET);
}
