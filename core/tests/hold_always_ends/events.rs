//! What may happen to a gate, in any order.

use std::time::Duration;

use proptest::prelude::*;
use wakegate_core::{Answered, Loss, ProbeOutcome};

/// The routes that requests come by.
const ROUTES: [&str; 3] = ["a", "b", "c"];

/// What may happen to a gate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Pass(Duration),
    StepBack(Duration),
    Hold {
        route: &'static str,
        for_ms: u64,
        long: bool,
    },
    Word {
        ready: u32,
        paused: bool,
        probe: bool,
        max: u32,
    },
    Workers(u32),
    ControlPlane(bool),
    LearnZero,
    Doubt,
    Probed(ProbeOutcome),
    /// The n-th of those released and unanswered.
    Answer(usize, Answered),
    /// The n-th of all ids ever seen, ended or not.
    End(u32),
    LetGo(Option<&'static str>),
    Deadlines {
        route: &'static str,
        for_ms: u64,
    },
    Poll {
        budget: usize,
    },
}

fn outcome() -> impl Strategy<Value = ProbeOutcome> {
    prop_oneof![
        Just(ProbeOutcome::Proof),
        Just(ProbeOutcome::NoHost),
        Just(ProbeOutcome::NoProof),
    ]
}

fn answered() -> impl Strategy<Value = Answered> {
    prop_oneof![
        6 => Just(Answered::Normally),
        1 => Just(Answered::Lost(Loss::NoHost)),
        1 => Just(Answered::Lost(Loss::Overflow)),
        1 => Just(Answered::Lost(Loss::Reset)),
        1 => Just(Answered::Lost(Loss::ConnectFailure)),
    ]
}

fn route() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ROUTES[..])
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let ms = || prop_oneof![0..5_u64, 0..400_u64, 0..12_000_u64];
    prop_oneof![
        4 => ms().prop_map(|ms| Event::Pass(Duration::from_millis(ms))),
        1 => ms().prop_map(|ms| Event::StepBack(Duration::from_millis(ms))),
        12 => (route(), 0..60_000_u64, any::<bool>())
            .prop_map(|(route, for_ms, long)| Event::Hold { route, for_ms, long }),
        3 => (0..3_u32, prop::bool::weighted(0.2), prop::bool::weighted(0.7), 0..4_u32)
            .prop_map(|(ready, paused, probe, max)| Event::Word { ready, paused, probe, max }),
        1 => (0..300_u32).prop_map(Event::Workers),
        1 => any::<bool>().prop_map(Event::ControlPlane),
        1 => Just(Event::LearnZero),
        1 => Just(Event::Doubt),
        5 => outcome().prop_map(Event::Probed),
        8 => (any::<usize>(), answered()).prop_map(|(n, answered)| Event::Answer(n, answered)),
        3 => (0..1_000_u32).prop_map(Event::End),
        1 => prop::option::weighted(0.8, route()).prop_map(Event::LetGo),
        1 => (route(), 0..60_000_u64)
            .prop_map(|(route, for_ms)| Event::Deadlines { route, for_ms }),
        10 => (0..40_usize).prop_map(|budget| Event::Poll { budget }),
    ]
}
