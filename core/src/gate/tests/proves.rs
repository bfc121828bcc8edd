//! Asking Envoy: probes, learned zero, a control plane that is gone.

use super::*;
use ProbeOutcome::{NoHost, NoProof, Proof};

/// Proving, with `n` held and no probe sent yet.
fn proving(n: u32) -> Bench {
    let mut bench = Bench::asleep();
    bench.hold(0..n);
    bench.word(1);
    bench
}

#[test]
fn a_ready_word_with_nothing_held_lets_requests_pass() {
    let mut bench = Bench::asleep();
    bench.word(1);
    assert!(bench.gate.admits());
    assert!(bench.gate.is_idle());
}

#[test]
fn a_ready_word_asks_through_the_oldest_and_a_proof_thaws() {
    let mut bench = proving(2);
    assert_eq!(bench.gate.state(), GateState::Proving);
    assert_eq!(bench.poll(), [GateAction::Probe { via: RequestId(0) }]);
    assert!(!bench.probes(), "one at a time");
    bench.probed(Proof);
    assert_eq!(bench.gate.state(), GateState::Thawing);
    assert_eq!(bench.released(), [0]);
}

#[test]
fn a_probe_takes_nothing_of_the_budget() {
    let mut bench = proving(1);
    let mut actions = Vec::new();
    bench.gate.poll(bench.at(), 0, &mut actions);
    assert_eq!(actions, [GateAction::Probe { via: RequestId(0) }]);
}

#[test]
fn without_a_probe_a_ready_word_thaws() {
    let mut bench = Bench::thawing(1);
    assert_eq!(bench.gate.state(), GateState::Thawing);
    assert_eq!(bench.released(), [0]);
}

#[test]
fn while_envoy_has_no_host_it_is_asked_so_often_that_pauses_add_an_eighth() {
    let mut bench = proving(1);
    assert!(bench.probes());
    let mut waited = 0;
    while waited < 2_000 {
        bench.probed(NoHost);
        let pause = bench.probes_after();
        assert_eq!(pause, (1 + waited / 8).min(100), "after {waited} ms");
        waited += pause;
    }
}

#[test]
fn probes_that_prove_nothing_back_off_to_2_s() {
    let mut bench = Bench::ready();
    bench.gate.learn_zero(bench.at());
    bench.hold([0]);
    assert!(bench.probes());
    for pause in [250, 500, 1_000] {
        bench.probed(NoProof);
        assert_eq!(bench.probes_after(), pause);
    }
}

#[test]
fn after_2_s_of_probes_that_prove_nothing_a_canary_goes_anyway() {
    let mut bench = proving(3);
    assert!(bench.probes());
    bench.probed(NoProof);
    assert_eq!(bench.probes_after(), 250);
    bench.pass(2_000 - 250 - 1);
    assert_eq!(bench.poll(), []);
    bench.pass(1);
    assert_eq!(bench.released(), [0]);
}

#[test]
fn a_probe_that_stays_on_the_wire_for_2_s_is_as_good() {
    let mut bench = proving(3);
    assert!(bench.probes());
    let canary = bench.at() + Duration::from_secs(2);
    assert_eq!(bench.gate.next_poll(bench.at()), Some(canary));
    bench.pass(2_000);
    assert_eq!(bench.released(), [0]);
}

#[test]
fn while_envoy_has_no_host_a_canary_waits_for_10_s() {
    let mut bench = proving(1);
    let start = bench.now;
    while bench.gate.state() == GateState::Proving {
        let next = bench.gate.next_poll(bench.at()).unwrap();
        bench.now = u64::try_from(next.as_millis()).unwrap();
        assert!(bench.now - start <= 10_000, "no end");
        if bench.poll() == [GateAction::Probe { via: RequestId(0) }] {
            bench.probed(NoHost);
        }
    }
    assert_eq!(bench.now - start, 10_000);
    assert_eq!(bench.actions, [GateAction::Release(RequestId(0))]);
}

#[test]
fn a_probe_of_which_nothing_is_heard_is_given_up_after_5_s() {
    let mut bench = Bench::asleep();
    bench.hold([0]);
    bench.gate.set_control_plane(bench.at(), false);
    assert!(bench.probes());
    bench.pass(4_999);
    assert!(!bench.probes());
    bench.pass(1);
    assert!(!bench.probes(), "backs off first");
    assert_eq!(bench.probes_after(), 250);
}

#[test]
fn an_endpoint_that_goes_again_puts_it_back_to_sleep_with_all_it_holds() {
    for mut bench in [proving(3), Bench::thawing(3)] {
        bench.word(0);
        assert_eq!(bench.gate.state(), GateState::Asleep);
        assert_eq!(bench.gate.n_held(), 3);
        assert_eq!(bench.drain(), []);
    }
}

#[test]
fn a_proof_that_comes_after_the_endpoint_went_is_ignored() {
    let mut bench = proving(1);
    assert!(bench.probes());
    bench.word(0);
    bench.probed(Proof);
    assert_eq!(bench.gate.state(), GateState::Asleep);
}

#[test]
fn with_the_control_plane_gone_a_proof_alone_releases() {
    let mut bench = Bench::asleep();
    bench.hold(0..2);
    bench.gate.set_control_plane(bench.at(), false);
    assert!(bench.probes());
    for pause in [100, 200, 250, 250] {
        bench.probed(NoHost);
        assert_eq!(bench.probes_after(), pause);
    }
    bench.probed(Proof);
    assert_eq!(bench.released(), [0]);
    bench.answer(0);
    assert_eq!(bench.released(), [1]);
    assert!(bench.gate.admits());
    assert!(!bench.gate.is_idle(), "made anew it would be asleep");
}

#[test]
fn with_the_control_plane_back_its_word_counts_again() {
    let mut bench = Bench::asleep();
    bench.hold([0]);
    bench.gate.set_control_plane(bench.at(), false);
    assert!(bench.probes());
    bench.gate.set_control_plane(bench.at(), true);
    bench.probed(Proof);
    assert_eq!(bench.gate.state(), GateState::Asleep);
    bench.pass(10_000);
    assert!(!bench.probes());
}

#[test]
fn learned_zero_holds_and_asks_although_the_word_is_ready() {
    let mut bench = Bench::ready();
    bench.gate.learn_zero(bench.at());
    assert_eq!(bench.gate.state(), GateState::Asleep);
    assert!(!bench.gate.is_idle());
    assert_eq!(bench.gate.next_poll(bench.at()), None);
    bench.pass(30_000);
    bench.hold([0]);
    assert!(bench.probes());
    for _ in 0..200 {
        bench.probed(NoHost);
        assert_eq!(bench.probes_after(), 100, "no canary goes to no host");
    }
    bench.probed(Proof);
    assert_eq!(bench.released(), [0]);
}

#[test]
fn any_new_word_ends_learned_zero() {
    let mut bench = Bench::ready();
    bench.gate.learn_zero(bench.at());
    bench.word(1);
    assert!(bench.gate.admits());
    bench.gate.learn_zero(bench.at());
    bench.hold([0]);
    bench.word(1);
    assert_eq!(bench.gate.state(), GateState::Proving);
}

#[test]
fn without_a_probe_learned_zero_tries_a_canary_after_a_pause() {
    let mut bench = Bench::without_probe();
    bench.word(1);
    bench.gate.learn_zero(bench.at());
    bench.hold(0..2);
    assert_eq!(bench.released(), [0_u32; 0]);
    bench.pass(250);
    assert_eq!(bench.released(), [0]);
    bench.lose(0, Loss::NoHost);
    bench.pass(499);
    assert_eq!(bench.released(), [0_u32; 0]);
    bench.pass(1);
    assert_eq!(bench.released(), [1]);
}

#[test]
fn only_a_ready_gate_learns_zero() {
    let mut bench = Bench::thawing(2);
    bench.gate.learn_zero(bench.at());
    assert_eq!(bench.gate.state(), GateState::Thawing);
}

#[test]
fn a_doubted_backend_proves_its_first_request_for_10_s() {
    let mut bench = Bench::ready();
    bench.gate.doubt(bench.at());
    assert_eq!(bench.gate.state(), GateState::Proving);
    bench.pass(50);
    bench.hold([0]);
    assert!(bench.probes());
    bench.probed(NoHost);
    assert_eq!(bench.probes_after(), 1);
    bench.probed(Proof);
    assert_eq!(bench.released(), [0]);
    assert!(bench.gate.admits());

    bench.gate.doubt(bench.at());
    bench.pass(10_000);
    assert_eq!(bench.poll(), []);
    assert!(bench.gate.admits());
}
