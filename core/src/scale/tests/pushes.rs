//! When a stream says `true`.

use super::{Push, Say, View, WINDOW, secs};
use crate::InFlight;
use std::time::Duration;

const IDLE: View = View {
    is_active: false,
    in_flight: in_flight(0, 0),
    is_asleep: true,
};
const HELD: View = View {
    is_active: true,
    in_flight: in_flight(2, 0),
    is_asleep: true,
};
const STARTING: View = View {
    is_asleep: false,
    ..HELD
};
const RUNNING: View = View {
    in_flight: in_flight(0, 2),
    ..STARTING
};
const CLOSING: View = View {
    in_flight: in_flight(0, 0),
    ..RUNNING
};

const fn in_flight(held: u64, running: u64) -> InFlight {
    InFlight { held, running }
}

/// A jitter in the middle: repeats come on time.
const NONE: f64 = 0.5;

fn open() -> Push {
    Push::open(Duration::ZERO, WINDOW, false, NONE)
}

/// Follows `again_at` for as long as `view` stays the same, and notes when `true` was said.
fn trues(push: &mut Push, from: u64, until: u64, view: View) -> Vec<u64> {
    let mut said = Vec::new();
    let mut now = secs(from);
    while now <= secs(until) {
        match push.on(now, view, NONE) {
            Say::True => said.push(now.as_secs()),
            Say::Nothing => {}
            Say::End => panic!("ended at {now:?}"),
        }
        let Some(next) = push.again_at(now) else {
            break;
        };
        assert!(next > now, "asks again at once");
        now = next;
    }
    said
}

#[test]
fn says_true_at_open_when_active_and_nothing_when_not() {
    assert_eq!(open().on(secs(0), RUNNING, NONE), Say::True);
    let mut idle = open();
    assert_eq!(trues(&mut idle, 0, 1_000, IDLE), []);
    assert_eq!(idle.again_at(secs(1_000)), None);
}

#[test]
fn repeats_while_something_is_held_and_nothing_runs_and_slows_down() {
    assert_eq!(
        trues(&mut open(), 0, 130, HELD),
        [0, 1, 3, 7, 15, 31, 61, 91, 121]
    );
}

#[test]
fn does_not_repeat_once_there_is_a_replica() {
    let mut push = open();
    assert_eq!(push.on(secs(0), HELD, NONE), Say::True);
    assert_eq!(trues(&mut push, 1, 1_000, STARTING), []);
}

#[test]
fn a_repeat_begins_anew_when_the_workload_falls_asleep_under_a_hold() {
    let mut push = open();
    assert_eq!(trues(&mut push, 0, 8, HELD), [0, 1, 3, 7]);
    assert_eq!(push.on(secs(8), STARTING, NONE), Say::Nothing);
    assert_eq!(trues(&mut push, 20, 24, HELD), [21, 23]);
}

#[test]
fn jitter_moves_a_repeat_by_a_quarter() {
    for (jitter, expected) in [(0.0, 750), (1.0, 1_250), (7.0, 1_250)] {
        let mut push = open();
        push.on(secs(0), HELD, jitter);
        assert_eq!(
            push.again_at(secs(0)),
            Some(Duration::from_millis(expected))
        );
    }
}

#[test]
fn says_true_once_for_a_stream_of_requests_and_again_when_the_window_reopened() {
    let mut push = open();
    assert_eq!(push.on(secs(1), RUNNING, NONE), Say::True);
    for second in 2..60 {
        let view = if second % 2 == 0 { RUNNING } else { CLOSING };
        assert_eq!(push.on(secs(second), view, NONE), Say::Nothing);
    }
    assert_eq!(push.on(secs(60), CLOSING, NONE), Say::Nothing);
    assert_eq!(
        push.again_at(secs(60)),
        Some(secs(80)),
        "or it would not see the window close"
    );
    assert_eq!(push.on(secs(80), IDLE, NONE), Say::Nothing);
    assert_eq!(push.on(secs(81), RUNNING, NONE), Say::True);
}

#[test]
fn says_true_when_something_is_held_that_was_not() {
    let mut push = open();
    assert_eq!(push.on(secs(1), RUNNING, NONE), Say::True);
    assert_eq!(push.on(secs(2), STARTING, NONE), Say::True);
    assert_eq!(push.on(secs(3), STARTING, NONE), Say::Nothing);
}

#[test]
fn a_workload_that_flaps_gets_ten_trues_and_then_one_each_second() {
    let mut push = open();
    let mut n_trues = 0;
    for n in 0..2_000 {
        let now = Duration::from_millis(n * 5);
        let view = if n % 2 == 0 { STARTING } else { RUNNING };
        n_trues += u32::from(push.on(now, view, NONE) == Say::True);
    }
    assert!((18..=20).contains(&n_trues), "{n_trues} in ten seconds");
    // What is owed is said even if nothing happens any more.
    for (tenths, view) in [
        (100, RUNNING),
        (101, STARTING),
        (102, RUNNING),
        (103, STARTING),
    ] {
        push.on(Duration::from_millis(tenths * 100), view, NONE);
    }
    let again = push.again_at(Duration::from_millis(10_300)).unwrap();
    assert!(again <= secs(11), "{again:?}");
    assert_eq!(push.on(again, STARTING, NONE), Say::True);
}

#[test]
fn ends_once_while_nothing_is_held() {
    let ending = || Push::open(Duration::ZERO, WINDOW, true, 0.0);
    let mut awake = ending();
    assert_eq!(awake.on(secs(1), RUNNING, NONE), Say::True);
    assert_eq!(awake.again_at(secs(1)), Some(secs(30)));
    assert_eq!(awake.on(secs(30), STARTING, NONE), Say::True);
    assert_eq!(
        awake.on(secs(31), STARTING, NONE),
        Say::Nothing,
        "not while something is held"
    );
    assert_eq!(awake.on(secs(32), RUNNING, NONE), Say::End);

    let mut asleep = ending();
    assert_eq!(asleep.on(secs(299), IDLE, NONE), Say::Nothing);
    assert_eq!(asleep.again_at(secs(299)), Some(secs(300)));
    assert_eq!(asleep.on(secs(300), IDLE, NONE), Say::End);
}
