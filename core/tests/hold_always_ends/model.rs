//! A naive model beside a gate.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use wakegate_core::{
    Answered, Backend, BackendId, Gate, GateAction, GateState, Held, ProbeOutcome, RequestId,
    RouteId,
};

use crate::events::Event;

/// What a gate must agree with: a naive list of what is held, and what came of each request.
pub(crate) struct Model {
    pub(crate) gate: Gate,
    backend: Backend,
    n_workers: u32,
    pub(crate) now: Duration,
    /// By arrival; the bool says that it was let go.
    pub(crate) held: BTreeMap<u32, (Held, bool)>,
    released: BTreeSet<u32>,
    pub(crate) n_ids: u32,
}

impl Model {
    pub(crate) fn new() -> Self {
        let backend = Backend::asleep(BackendId::new("shop", "web", 80));
        Self {
            gate: Gate::new(&backend),
            backend,
            n_workers: 1,
            now: Duration::from_secs(1_000),
            held: BTreeMap::new(),
            released: BTreeSet::new(),
            n_ids: 0,
        }
    }

    fn cap(&self) -> usize {
        let per_proxy = self
            .backend
            .max_in_flight_per_endpoint
            .map_or(256, |n| n.get() * self.backend.ready_endpoints.max(1));
        usize::try_from((per_proxy / self.n_workers.max(1)).max(1)).unwrap()
    }

    pub(crate) fn on(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Pass(time) => self.now += time,
            Event::StepBack(time) => self.now = now.saturating_sub(time),
            Event::Hold {
                route,
                for_ms,
                long,
            } => self.hold(route, for_ms, long),
            Event::Word {
                ready,
                paused,
                probe,
                max,
            } => {
                self.backend.ready_endpoints = ready;
                self.backend.paused = paused;
                self.backend.probe = probe;
                self.backend.max_in_flight_per_endpoint = NonZeroU32::new(max);
                self.gate.update(now, &self.backend);
            }
            Event::Workers(n) => {
                self.n_workers = n;
                self.gate.set_workers(n);
            }
            Event::ControlPlane(connected) => self.gate.set_control_plane(now, connected),
            Event::LearnZero => self.gate.learn_zero(now),
            Event::Doubt => self.gate.doubt(now),
            Event::Probed(outcome) => self.gate.on_probe(now, outcome),
            Event::Answer(n, answered) => {
                let n_released = self.released.len().max(1);
                if let Some(id) = self.released.iter().nth(n % n_released).copied() {
                    self.released.remove(&id);
                    self.gate.on_response(now, RequestId(id), answered);
                }
            }
            Event::End(n) => {
                self.end(n % (self.n_ids + 1));
            }
            Event::LetGo(route) => self.let_go(route),
            Event::Deadlines { route, for_ms } => self.set_deadlines(route, for_ms),
            Event::Poll { budget } => {
                self.poll(budget);
            }
        }
        assert_eq!(self.gate.n_held(), self.held.len());
        if self.gate.admits() {
            assert_eq!((self.held.len(), self.gate.state()), (0, GateState::Ready));
        }
        if self.gate.is_idle() {
            assert!(self.held.is_empty() && self.released.is_empty());
        }
    }

    pub(crate) fn hold(&mut self, route: &str, for_ms: u64, long: bool) {
        let held = Held {
            id: RequestId(self.n_ids),
            route: RouteId::from(route),
            since: self.now,
            deadline: self.now + Duration::from_millis(for_ms),
            long,
        };
        self.held.insert(self.n_ids, (held.clone(), false));
        self.n_ids += 1;
        self.gate.hold(self.now, held);
    }

    /// Ends are told twice, as for a stream that ends while its hold does.
    pub(crate) fn end(&mut self, id: u32) {
        let held = self.held.remove(&id).map(|(held, _)| held);
        self.released.remove(&id);
        assert_eq!(self.gate.on_end(RequestId(id), self.now), held);
        assert_eq!(self.gate.on_end(RequestId(id), self.now), None);
    }

    fn let_go(&mut self, route: Option<&str>) {
        let route = route.map(RouteId::from);
        for (held, is_let_go) in self.held.values_mut() {
            *is_let_go |= route.as_ref().is_none_or(|route| *route == held.route);
        }
        self.gate.let_go(self.now, route.as_ref());
    }

    fn set_deadlines(&mut self, route: &str, for_ms: u64) {
        let (route, hold_timeout) = (RouteId::from(route), Duration::from_millis(for_ms));
        for (held, is_let_go) in self.held.values_mut() {
            if held.route == route && !*is_let_go {
                held.deadline = held.since + hold_timeout;
            }
        }
        self.gate.set_deadlines(&route, hold_timeout);
    }

    /// Polls, and says whether there was anything to do.
    fn poll(&mut self, budget: usize) -> bool {
        let due = self.gate.next_poll(self.now);
        assert!(due.is_none_or(|at| at >= self.now));
        let mut actions = Vec::new();
        self.gate.poll(self.now, budget, &mut actions);
        if due.is_none_or(|at| at > self.now) {
            assert_eq!(actions, [], "next_poll said {due:?} at {:?}", self.now);
        }
        let is_probe = |action: &&GateAction| matches!(action, GateAction::Probe { .. });
        let n_probes = actions.iter().filter(is_probe).count();
        assert!(n_probes <= 1 && actions.len() - n_probes <= budget);
        for action in &actions {
            self.carry_out(*action);
        }
        !actions.is_empty()
    }

    fn carry_out(&mut self, action: GateAction) {
        match action {
            GateAction::Release(RequestId(id)) => {
                let (held, is_let_go) = self.held.remove(&id).expect("released what is not held");
                assert!(held.deadline > self.now);
                // First in, first out, among all or among those that need no proof.
                assert!(self.held.iter().all(|(other, (_, other_is_let_go))| {
                    *other > id
                        || (is_let_go && !other_is_let_go)
                        || (!is_let_go && *other_is_let_go)
                }));
                self.released.insert(id);
                assert!(self.released.len() <= self.cap());
            }
            GateAction::TimeOut(RequestId(id)) => {
                let (held, _) = self.held.remove(&id).expect("timed out what is not held");
                assert!(held.deadline <= self.now);
            }
            GateAction::RefusePaused(RequestId(id)) => {
                assert!(self.held.remove(&id).is_some());
                assert!(self.backend.paused && self.backend.ready_endpoints == 0);
                assert!(self.held.range(..id).all(|(_, (_, is_let_go))| *is_let_go));
            }
            GateAction::Probe { via } => {
                let first = self.held.iter().find(|(_, (_, is_let_go))| !is_let_go);
                assert_eq!(first.map(|(id, _)| RequestId(*id)), Some(via));
                assert!(self.backend.probe);
            }
        }
    }

    /// Polls when the gate asks for it, until it asks for an event. Each poll must do something, or
    /// change what is due.
    pub(crate) fn run(&mut self, answer: bool) {
        let mut n_polls = 0;
        while let Some(at) = self.gate.next_poll(self.now) {
            self.now = at;
            let state = self.gate.state();
            let did_something = self.poll(16);
            assert!(
                did_something
                    || self.gate.state() != state
                    || self.gate.next_poll(self.now).is_none_or(|next| next > at),
                "asked at {at:?} for nothing, in {state:?}"
            );
            if answer {
                for id in std::mem::take(&mut self.released) {
                    self.gate
                        .on_response(self.now, RequestId(id), Answered::Normally);
                }
                self.gate.on_probe(self.now, ProbeOutcome::Proof);
            }
            n_polls += 1;
            assert!(n_polls < 10_000, "no end");
        }
    }
}
