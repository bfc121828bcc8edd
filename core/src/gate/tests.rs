//! What a gate does, rule by rule.

mod holds;
mod proves;
mod thaws;

use std::time::Duration;

use super::*;
use crate::BackendId;

/// What a worker does per call.
const BUDGET: usize = 16;

/// A gate, its backend, and a clock in milliseconds.
struct Bench {
    gate: Gate,
    backend: Backend,
    now: u64,
    actions: Vec<GateAction>,
}

impl Bench {
    /// Asleep, at a time that is not zero.
    fn asleep() -> Self {
        let backend = Backend::asleep(BackendId::new("shop", "web", 80));
        Self {
            gate: Gate::new(&backend),
            backend,
            now: 1_000_000,
            actions: Vec::new(),
        }
    }

    /// Asleep, and its probe switched off.
    fn without_probe() -> Self {
        let mut bench = Self::asleep();
        bench.backend.probe = false;
        bench.gate = Gate::new(&bench.backend);
        bench
    }

    /// Ready from the start.
    fn ready() -> Self {
        let mut bench = Self::asleep();
        bench.backend.ready_endpoints = 1;
        bench.gate = Gate::new(&bench.backend);
        bench
    }

    /// Thawing, with `n` held and nothing released.
    fn thawing(n: u32) -> Self {
        let mut bench = Self::without_probe();
        bench.hold(0..n);
        bench.word(1);
        bench
    }

    /// Thawing, with `n` left after a canary that was answered in 1 ms.
    fn open(n: u32) -> Self {
        let mut bench = Self::thawing(n + 1);
        assert_eq!(bench.released(), [0]);
        bench.pass(1);
        bench.answer(0);
        bench
    }

    fn at(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms;
    }

    fn word(&mut self, ready_endpoints: u32) {
        self.backend.ready_endpoints = ready_endpoints;
        self.gate.update(self.at(), &self.backend);
    }

    fn hold(&mut self, ids: impl IntoIterator<Item = u32>) {
        for id in ids {
            self.hold_on("route", id, false);
        }
    }

    fn hold_on(&mut self, route: &str, id: u32, long: bool) {
        let held = Held {
            id: RequestId(id),
            route: RouteId::from(route),
            since: self.at(),
            deadline: self.at() + Duration::from_mins(1),
            long,
        };
        self.gate.hold(self.at(), held);
    }

    fn poll(&mut self) -> Vec<GateAction> {
        self.actions.clear();
        self.gate.poll(self.at(), BUDGET, &mut self.actions);
        self.actions.clone()
    }

    /// Polls until nothing is left to do now.
    fn drain(&mut self) -> Vec<GateAction> {
        let mut all = Vec::new();
        while self.gate.next_poll(self.at()) == Some(self.at()) {
            let actions = self.poll();
            all.extend(actions);
            assert!(all.len() <= 20_000, "no end");
        }
        all
    }

    /// What is released now.
    fn released(&mut self) -> Vec<u32> {
        let actions = self.drain();
        let released = actions.iter().map(|action| {
            let GateAction::Release(RequestId(id)) = action else {
                panic!("not a release: {action:?}");
            };
            *id
        });
        released.collect()
    }

    /// How many are released now.
    fn n_released(&mut self) -> usize {
        self.released().len()
    }

    /// Whether a probe goes out now, and nothing else.
    fn probes(&mut self) -> bool {
        match self.poll().as_slice() {
            [] => false,
            [GateAction::Probe { .. }] => true,
            other => panic!("more than a probe: {other:?}"),
        }
    }

    fn probed(&mut self, outcome: ProbeOutcome) {
        self.gate.on_probe(self.at(), outcome);
    }

    /// How long until the next probe, which must be the next thing to do.
    fn probes_after(&mut self) -> u64 {
        let start = self.at();
        let next = self.gate.next_poll(start).expect("nothing to do");
        self.now = u64::try_from(next.as_millis()).unwrap();
        assert!(self.probes(), "something else came first");
        u64::try_from(next.saturating_sub(start).as_millis()).unwrap()
    }

    fn answer(&mut self, id: u32) {
        self.gate
            .on_response(self.at(), RequestId(id), Answered::Normally);
    }

    fn answer_all(&mut self, ids: &[u32]) {
        for id in ids {
            self.answer(*id);
        }
    }

    fn lose(&mut self, id: u32, loss: Loss) {
        self.gate
            .on_response(self.at(), RequestId(id), Answered::Lost(loss));
    }

    fn end(&mut self, id: u32) -> bool {
        self.gate.on_end(RequestId(id), self.at()).is_some()
    }
}
