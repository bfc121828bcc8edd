//! Thawing: canary, window, losses.

use super::*;

#[test]
fn a_canary_goes_alone_and_its_answer_opens_a_window_of_32() {
    let mut bench = Bench::thawing(100);
    assert_eq!(bench.released(), [0]);
    bench.answer(0);
    assert_eq!(bench.released(), (1..=32).collect::<Vec<_>>());
    bench.answer(7);
    assert_eq!(
        bench.released(),
        [33],
        "a place becomes free with each answer"
    );
}

#[test]
fn an_end_frees_a_place_as_an_answer_does() {
    let mut bench = Bench::open(100);
    assert_eq!(bench.n_released(), 32);
    assert!(!bench.end(3));
    assert_eq!(bench.released(), [33]);
}

#[test]
fn a_canary_whose_client_leaves_is_followed_by_another() {
    let mut bench = Bench::thawing(5);
    assert_eq!(bench.released(), [0]);
    bench.end(0);
    assert_eq!(bench.released(), [1]);
    assert_eq!(bench.gate.state(), GateState::Thawing);
}

#[test]
fn arrivals_during_a_thaw_queue_behind_and_it_ends_when_nothing_is_held() {
    let mut bench = Bench::open(40);
    let first = bench.released();
    bench.hold([900]);
    assert!(!bench.gate.admits());
    bench.answer_all(&first);
    let last = bench.released();
    assert_eq!(last.last(), Some(&900));
    assert!(bench.gate.admits());
    assert!(!bench.gate.is_idle(), "answers are still to come");
    bench.answer_all(&last);
    assert!(bench.gate.is_idle());
}

/// Answers round after round, each as late as it says, and gives the window that each had.
fn windows(bench: &mut Bench, latencies_ms: &[u64]) -> Vec<usize> {
    let mut windows = Vec::new();
    for latency in latencies_ms {
        let released = bench.released();
        windows.push(released.len());
        bench.pass(*latency);
        bench.answer_all(&released);
    }
    windows
}

#[test]
fn the_window_doubles_up_to_the_cap_while_answers_come_as_fast() {
    let mut bench = Bench::open(2_000);
    let seen = windows(&mut bench, &[10, 10, 19, 10, 10]);
    assert_eq!(seen, [32, 64, 128, 256, 256]);
}

#[test]
fn the_window_stays_when_a_round_takes_twice_as_long_as_the_first() {
    let mut bench = Bench::open(2_000);
    assert_eq!(
        windows(&mut bench, &[10, 20, 20, 10, 10]),
        [32, 64, 64, 64, 128]
    );
}

#[test]
fn answers_in_less_than_a_millisecond_let_it_grow() {
    let mut bench = Bench::open(2_000);
    assert_eq!(windows(&mut bench, &[0, 0, 1, 0]), [32, 64, 128, 256]);
}

#[test]
fn the_cap_is_shared_by_the_workers_or_set_for_each_endpoint() {
    let check = |workers: u32, per_endpoint: Option<u32>, endpoints: u32, cap: usize| {
        let mut bench = Bench::thawing(2_000);
        bench.gate.set_workers(workers);
        bench.backend.max_in_flight_per_endpoint = per_endpoint.and_then(NonZeroU32::new);
        bench.word(endpoints);
        assert_eq!(bench.released(), [0]);
        bench.answer(0);
        let most = windows(&mut bench, &[10; 6]).into_iter().max();
        assert_eq!(
            most,
            Some(cap),
            "{workers} workers, {per_endpoint:?} × {endpoints}"
        );
    };
    check(1, None, 1, 256);
    check(2, None, 5, 128);
    check(16, None, 1, 16);
    check(1_000, None, 1, 1);
    check(0, None, 1, 256);
    check(1, Some(10), 1, 10);
    check(2, Some(10), 20, 100);
    check(4, Some(3), 1, 1);
}

#[test]
fn a_long_request_frees_its_place_after_500_ms_and_counts_against_the_cap() {
    let mut bench = Bench::without_probe();
    bench.gate.set_workers(8);
    for id in 0..100 {
        bench.hold_on("route", id, true);
    }
    bench.word(1);
    assert_eq!(bench.released(), [0]);
    bench.pass(499);
    assert_eq!(bench.n_released(), 0);
    bench.pass(1);
    assert_eq!(
        bench.n_released(),
        31,
        "the cap of 32 holds the canary as well"
    );
    bench.pass(5_000);
    assert_eq!(
        bench.n_released(),
        0,
        "all have freed their place, none is answered"
    );
    bench.answer(0);
    assert_eq!(bench.n_released(), 1);
}

#[test]
fn a_lost_canary_asks_again_after_a_pause_that_doubles() {
    let mut bench = Bench::asleep();
    bench.hold(0..9);
    bench.word(1);
    assert!(bench.probes());
    for (canary, pause) in [(0, 250), (1, 500), (2, 1_000), (3, 2_000), (4, 2_000)] {
        bench.probed(ProbeOutcome::Proof);
        assert_eq!(bench.released(), [canary]);
        bench.lose(canary, Loss::ConnectFailure);
        assert_eq!(bench.gate.state(), GateState::Proving);
        assert_eq!(bench.probes_after(), pause);
    }
    assert_eq!(bench.gate.n_held(), 4);
}

#[test]
fn a_loss_halves_the_window_once_for_what_was_under_way() {
    for loss in [Loss::Overflow, Loss::Reset, Loss::ConnectFailure] {
        let mut bench = Bench::open(2_000);
        let released = bench.released();
        bench.pass(10);
        bench.lose(1, loss);
        bench.lose(2, loss);
        bench.answer_all(&released);
        let halved = bench.released();
        assert_eq!(halved.len(), 16, "{loss:?}");
        bench.pass(10);
        bench.answer_all(&halved);
        assert_eq!(bench.n_released(), 32, "it grows again after {loss:?}");
    }
}

#[test]
fn three_losses_in_a_row_end_the_thaw() {
    let mut bench = Bench::open(100);
    assert_eq!(bench.n_released(), 32);
    bench.lose(1, Loss::Overflow);
    bench.lose(2, Loss::Overflow);
    assert_eq!(bench.gate.state(), GateState::Thawing);
    bench.lose(3, Loss::Overflow);
    assert_eq!(bench.gate.state(), GateState::Proving);
    bench.lose(4, Loss::Overflow);
    assert_eq!(bench.n_released(), 0);
    // What is still under way from before takes no place in the next window.
    bench.pass(250);
    assert_eq!(bench.released(), [33]);
}

#[test]
fn a_loss_for_want_of_a_host_is_learned_zero() {
    let mut bench = Bench::open(100);
    assert_eq!(bench.n_released(), 32);
    bench.lose(5, Loss::NoHost);
    assert_eq!(bench.gate.state(), GateState::Asleep);
    assert_eq!(bench.n_released(), 0);
}

#[test]
fn the_last_released_teaches_zero_as_well() {
    let mut bench = Bench::thawing(1);
    assert_eq!(bench.released(), [0]);
    assert!(bench.gate.admits());
    bench.lose(0, Loss::NoHost);
    assert_eq!(bench.gate.state(), GateState::Asleep);
}

#[test]
fn a_canary_without_an_answer_gets_company_every_2_s() {
    let mut bench = Bench::thawing(1_000);
    assert_eq!(bench.released(), [0]);
    for id in 1..5 {
        bench.pass(1_999);
        assert_eq!(bench.n_released(), 0);
        bench.pass(1);
        assert_eq!(bench.released(), [id]);
    }
    bench.pass(1_999);
    bench.answer(0);
    assert_eq!(
        bench.n_released(),
        28,
        "32 less the four that are under way"
    );
}

#[test]
fn a_backend_that_takes_10_s_for_an_answer_drains() {
    let mut bench = Bench::thawing(50);
    let mut under_way = Vec::new();
    let mut seen = Vec::new();
    while bench.gate.n_held() > 0 {
        for id in bench.released() {
            seen.push(id);
            under_way.push((bench.now + 10_000, id));
        }
        bench.pass(500);
        let now = bench.now;
        assert!(seen.len() < 51 && now < 1_060_000, "no end");
        for (_, id) in under_way.extract_if(.., |(at, _)| *at <= now) {
            bench.answer(id);
        }
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

#[test]
fn losses_with_answers_between_them_do_not_end_a_thaw() {
    let mut bench = Bench::open(100);
    assert_eq!(bench.n_released(), 32);
    for id in (1..30).step_by(3) {
        bench.lose(id, Loss::Reset);
        bench.lose(id + 1, Loss::Reset);
        bench.answer(id + 2);
    }
    assert_eq!(bench.gate.state(), GateState::Thawing);
}

#[test]
fn an_answer_that_waited_for_its_client_says_nothing_of_the_backend() {
    let mut bench = Bench::without_probe();
    for id in 0..200 {
        bench.hold_on("route", id, true);
    }
    bench.word(1);
    assert_eq!(bench.released(), [0]);
    bench.answer(0);
    let first = bench.released();
    assert_eq!(first.len(), 32);
    bench.pass(500);
    assert_eq!(bench.n_released(), 32);
    bench.answer_all(&first);
    assert_eq!(
        bench.n_released(),
        0,
        "a round of late answers widened the window"
    );
}

#[test]
fn an_answer_or_a_new_wake_forgets_lost_canaries() {
    let lose_canary = |bench: &mut Bench, id: u32| {
        assert_eq!(bench.released(), [id]);
        bench.lose(id, Loss::Reset);
        let next = bench.gate.next_poll(bench.at()).unwrap();
        let pause = next.saturating_sub(bench.at());
        bench.pass(u64::try_from(pause.as_millis()).unwrap());
        pause.as_millis()
    };
    let mut bench = Bench::thawing(100);
    assert_eq!(lose_canary(&mut bench, 0), 250);
    assert_eq!(lose_canary(&mut bench, 1), 500);
    bench.word(0);
    bench.word(1);
    assert_eq!(lose_canary(&mut bench, 2), 250);
    assert_eq!(bench.released(), [3]);
    bench.answer(3);
    assert_eq!(bench.n_released(), 32);
    bench.lose(4, Loss::NoHost);
    bench.pass(250);
    assert_eq!(bench.released(), [36]);
}
