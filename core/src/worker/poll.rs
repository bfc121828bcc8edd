//! What is to be done with requests other than the one at hand.

use std::time::Duration;

use super::{FIRST_WAIT, Phase, TimeLeft, Worker};
use crate::{Answer, BackendId, GateAction, ProbeOutcome, Reason, RequestId};

/// What the edge is to do, from a call that belongs to no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The table is there: ask [`Worker::on_request`] again, and carry out what it says.
    Reconsider(RequestId),
    /// Let it go on.
    Resume {
        /// Which.
        id: RequestId,
        /// For how long it was held; none when it waited for the first table alone.
        held: Option<Duration>,
        /// What is left of its deadline, where its route has one.
        left: Option<TimeLeft>,
    },
    /// Answer it.
    Answer(RequestId, Answer),
    /// Ask Envoy's own view, through the cluster of this held request, and tell [`Worker::on_probe`].
    Probe {
        /// A request whose cluster and authority the probe takes.
        via: RequestId,
        /// The backend that is asked.
        backend: BackendId,
    },
}

impl Worker {
    /// What is to be done now: at most `budget` actions that resume or answer. What is left over stays
    /// for the next poll.
    pub fn poll(&mut self, now: Duration, budget: usize) -> Vec<Action> {
        let mut actions = Vec::new();
        self.poll_waiting(now, budget, &mut actions);
        let mut left = budget.saturating_sub(actions.len());
        for _ in 0..self.busy.len() {
            if left == 0 {
                break;
            }
            let Some(id) = self.busy.pop_front() else {
                break;
            };
            left = left.saturating_sub(self.poll_gate(now, &id, left, &mut actions));
            self.keep_or_drop(now, id);
        }
        actions
    }

    /// When [`Worker::poll`] has something to do next, if no event comes before.
    pub fn next_poll(&self, now: Duration) -> Option<Duration> {
        let gates = self.busy.iter().filter_map(|id| {
            let slot = self.backends.get(id)?;
            slot.gate.next_poll(now)
        });
        let first_wait = (!self.waiting.is_empty()).then(|| {
            if self.version.is_some() {
                now
            } else {
                self.started_at.saturating_add(FIRST_WAIT)
            }
        });
        gates.chain(first_wait).min()
    }

    /// What a probe found.
    pub fn on_probe(&mut self, now: Duration, backend: &BackendId, outcome: ProbeOutcome) {
        if let Some(slot) = self.backends.get_mut(backend) {
            slot.gate.on_probe(now, outcome);
        }
    }

    fn poll_waiting(&mut self, now: Duration, budget: usize, actions: &mut Vec<Action>) {
        let has_table = self.version.is_some();
        if !has_table && now.saturating_sub(self.started_at) < FIRST_WAIT {
            return;
        }
        let n = budget.min(self.waiting.len());
        for id in self.waiting.drain(..n) {
            if has_table {
                actions.push(Action::Reconsider(id));
            } else {
                self.tally.passed_without_table += 1;
                let (held, left) = (None, None);
                actions.push(Action::Resume { id, held, left });
            }
        }
    }

    /// How much of the budget it took.
    fn poll_gate(
        &mut self,
        now: Duration,
        id: &BackendId,
        budget: usize,
        actions: &mut Vec<Action>,
    ) -> usize {
        let Some(slot) = self.backends.get_mut(id) else {
            return 0;
        };
        let mut wanted = Vec::new();
        slot.gate.poll(now, budget, &mut wanted);
        let mut n_taken = 0;
        for action in wanted {
            match action {
                GateAction::Probe { via } => actions.push(Action::Probe {
                    via,
                    backend: id.clone(),
                }),
                GateAction::Release(request) => {
                    n_taken += 1;
                    actions.extend(self.release(now, request));
                }
                GateAction::TimeOut(request) => {
                    n_taken += 1;
                    actions.extend(self.refuse(now, request, Reason::HoldTimeout, 504));
                }
                GateAction::RefusePaused(request) => {
                    n_taken += 1;
                    actions.extend(self.refuse(now, request, Reason::Paused, 503));
                }
            }
        }
        n_taken
    }

    fn release(&mut self, now: Duration, id: RequestId) -> Option<Action> {
        let tracked = self.requests.get_mut(&id)?;
        let Phase::Held { since } = tracked.phase else {
            return None;
        };
        let held = now.saturating_sub(since);
        tracked.phase = Phase::Running { held: Some(held) };
        self.demand.release(now, &tracked.target.key);
        // A deadline that changed meanwhile is that of what is held already, as a time-out is.
        let current = self.table.get(&tracked.route.id);
        let left = TimeLeft::after(held, &current.unwrap_or(&tracked.route).policy);
        let (route, backend) = (tracked.route.id.clone(), tracked.target.backend.clone());
        self.no_longer_held(&route);
        self.tally.released += 1;
        if let Some(took) = self
            .backends
            .get_mut(&backend)
            .and_then(|slot| slot.released(now))
        {
            self.tally.cold_start(took);
        }
        Some(Action::Resume {
            id,
            held: Some(held),
            left,
        })
    }

    fn refuse(
        &mut self,
        now: Duration,
        id: RequestId,
        reason: Reason,
        status: u16,
    ) -> Option<Action> {
        let tracked = self.requests.remove(&id)?;
        self.demand.end_held(now, &tracked.target.key);
        self.no_longer_held(&tracked.route.id);
        self.tally.answered(reason);
        let slot = self.backends.get(&tracked.target.backend)?;
        let mut answer = slot.answer(reason, status, &tracked.route.policy);
        if let Phase::Held { since } = tracked.phase {
            answer.held = Some(now.saturating_sub(since));
        }
        Some(Action::Answer(id, answer))
    }

    /// A gate that has nothing left is polled no more; one whose backend left the table goes with it.
    fn keep_or_drop(&mut self, now: Duration, id: BackendId) {
        let Some(slot) = self.backends.get_mut(&id) else {
            return;
        };
        if slot.gate.n_held() == 0
            && let Some(took) = slot.emptied(now)
        {
            self.tally.thaw(took);
        }
        if !slot.gate.is_idle() {
            self.busy.push_back(id);
            return;
        }
        slot.is_busy = false;
        if slot.is_gone {
            self.backends.remove(&id);
        }
    }
}
