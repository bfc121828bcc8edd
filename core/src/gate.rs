//! Holds and thaws the requests of one backend in one filter VM.
//!
//! A gate decides what happens to each held request and when a probe goes out; looking requests up,
//! the caps on how many are held, counting and doing are the caller's.

mod decide;
mod flight;
mod pace;
mod phase;
mod probe;
mod queue;
#[cfg(test)]
mod tests;

use std::{num::NonZeroU32, time::Duration};

use self::{
    flight::{Flight, Lane, Released},
    pace::FIRST_WINDOW,
    phase::{Doubt, Phase},
    probe::{Backoff, Prober},
    queue::Queue,
};
use crate::{Backend, RouteId};

/// Requests that one proxy may have released and unanswered for one backend, all workers together: a
/// quarter of the 1,024 that Envoy's circuit breakers allow, because the rest of the traffic and other
/// thaws share those.
const CAP_PER_PROXY: u32 = 256;

/// A request, named by the number that the proxy gave its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// A request that is to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub id: RequestId,
    /// The route that it matched.
    pub route: RouteId,
    /// When it was held.
    pub since: Duration,
    /// When it stops waiting, whatever happened by then.
    pub deadline: Duration,
    /// An upgrade, CONNECT or gRPC: its answer may take as long as its client likes.
    pub long: bool,
}

/// What the caller is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateAction {
    /// Let this request go on to its backend.
    Release(RequestId),
    /// Answer this request: it was held for too long.
    TimeOut(RequestId),
    /// Answer this request: its backend is paused at zero and will not wake.
    RefusePaused(RequestId),
    /// Ask the backend for a sign of life, with the cluster and the authority of this held request.
    Probe {
        /// The request that is held the longest.
        via: RequestId,
    },
}

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The backend itself answered.
    Proof,
    /// The call failed at once: Envoy has no host, or its breakers are full. Nothing was sent.
    NoHost,
    /// It was sent, and answered without proof, reset or timed out.
    NoProof,
}

/// How a released request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// By its backend, whatever the status.
    Normally,
    /// By Envoy, because it could not be delivered.
    Lost(Loss),
}

/// Why a request could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no host (`UH`).
    NoHost,
    /// A circuit breaker was full (`UO`).
    Overflow,
    /// The connection broke before an answer (`UR`).
    Reset,
    /// There was no connection (`UF`).
    ConnectFailure,
}

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateState {
    /// There is no endpoint, or so it was learned: everything waits.
    Asleep,
    /// The control plane says ready; whether Envoy has a host as well is being asked.
    Proving,
    /// Held requests are being released.
    Thawing,
    /// Requests pass.
    Ready,
}

/// The state machine of one backend in one filter VM.
///
/// ```
/// # use std::time::Duration;
/// # use wakegate_core::*;
/// let mut backend = Backend::asleep(BackendId::new("shop", "web", 80));
/// let mut gate = Gate::new(&backend);
/// let (now, id) = (Duration::from_secs(100), RequestId(7));
/// let deadline = now + Duration::from_secs(60);
/// gate.hold(now, Held { id, route: RouteId::from("r"), since: now, deadline, long: false });
/// assert_eq!(gate.next_poll(now), Some(deadline));
///
/// let mut actions = Vec::new();
/// backend.ready_endpoints = 1;
/// gate.update(now, &backend);
/// gate.poll(now, 16, &mut actions);
/// gate.on_probe(now, ProbeOutcome::Proof);
/// gate.poll(now, 16, &mut actions);
/// assert_eq!(actions, [GateAction::Probe { via: id }, GateAction::Release(id)]);
/// assert!(gate.admits());
/// ```
#[derive(Debug)]
pub struct Gate {
    word: Word,
    n_workers: u32,
    is_connected: bool,
    phase: Phase,
    queue: Queue,
    flight: Flight,
    prober: Prober,
    /// Between a lost canary and the next try.
    after_loss: Backoff,
    n_thaws: u64,
    /// The backend was removed: nothing that was learned of it matters.
    is_retired: bool,
}

/// The control plane's last word.
#[derive(Debug)]
struct Word {
    n_ready: u32,
    is_paused: bool,
    probe: bool,
    max_in_flight_per_endpoint: Option<NonZeroU32>,
}

impl Gate {
    /// The gate of `backend`: ready or asleep, as the control plane says.
    pub fn new(backend: &Backend) -> Self {
        let word = Word::from(backend);
        Self {
            phase: word.phase(),
            word,
            n_workers: 1,
            is_connected: true,
            queue: Queue::default(),
            flight: Flight::default(),
            prober: Prober::default(),
            after_loss: Backoff::default(),
            n_thaws: 0,
            is_retired: false,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> GateState {
        self.phase.state()
    }

    /// Requests held.
    pub fn n_held(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing would be forgotten if this gate were dropped and made anew from the same word:
    /// nothing is held, nothing of a thaw under way, and nothing was learned.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self.flight.is_empty()
            && (self.is_retired || self.state() == self.word.phase().state())
    }

    /// Whether a request may pass: the backend is ready and nothing waits before it.
    pub fn admits(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Takes the control plane's word.
    pub fn update(&mut self, now: Duration, backend: &Backend) {
        self.word = Word::from(backend);
        self.is_retired = false;
        if self.word.n_ready == 0 {
            if !matches!(self.phase, Phase::Asleep) {
                self.sleep(now);
            }
            return;
        }
        match &self.phase {
            Phase::Asleep => {
                self.after_loss.reset();
                self.wake(now);
            }
            Phase::Doubting(doubt) if doubt.is_learned => self.wake(now),
            Phase::Doubting(_) | Phase::Thawing(_) | Phase::Ready => {}
        }
    }

    /// Takes the number of workers of this proxy, which share what it may have under way.
    pub fn set_workers(&mut self, n: u32) {
        self.n_workers = n.max(1);
    }

    /// Takes whether the control plane can be heard. While it cannot, a proof alone releases.
    pub fn set_control_plane(&mut self, now: Duration, connected: bool) {
        if self.is_connected && !connected && matches!(self.phase, Phase::Asleep) {
            self.prober.restart(now);
        }
        self.is_connected = connected;
    }

    /// Doubts a ready backend: until a proof, or for as long as Envoy's endpoints may lag behind ours,
    /// requests are held and proved first. For a backend that just woke while this worker held nothing.
    pub fn doubt(&mut self, now: Duration) {
        if self.admits() && self.word.probe && self.word.n_ready > 0 {
            self.enter_doubt(now, Doubt::of_word(now));
        }
    }

    /// Holds a request, behind all that are held. An id that is held already changes nothing.
    pub fn hold(&mut self, now: Duration, held: Held) {
        self.flight.remove(held.id);
        self.queue.push(held);
        match &mut self.phase {
            Phase::Ready if self.word.n_ready == 0 => self.sleep(now),
            Phase::Ready => self.wake(now),
            Phase::Doubting(doubt) if doubt.is_learned && self.queue.n_waiting() == 1 => {
                *doubt = Doubt::learned(now);
            }
            Phase::Asleep | Phase::Doubting(_) | Phase::Thawing(_) => {}
        }
    }

    /// Takes that a request which this gate did not release found no host.
    pub fn learn_zero(&mut self, now: Duration) {
        if !self.admits() {
            return;
        }
        if self.word.n_ready == 0 {
            self.sleep(now);
        } else if self.word.probe {
            // At once: a probe that finds no host costs nothing.
            self.enter_doubt(now, Doubt::learned(now));
        } else {
            self.fall_back(now, true);
        }
    }

    /// Takes what came of a probe.
    pub fn on_probe(&mut self, now: Duration, outcome: ProbeOutcome) {
        let after_no_host = self.phase.after_no_host();
        let was_under_way = self.prober.on_outcome(now, outcome, after_no_host);
        match (outcome, &mut self.phase) {
            (ProbeOutcome::Proof, Phase::Doubting(_)) => self.thaw(),
            (ProbeOutcome::Proof, Phase::Asleep) if !self.is_connected => self.thaw(),
            (ProbeOutcome::NoProof, Phase::Doubting(doubt)) if was_under_way => {
                doubt.on_no_proof();
            }
            (
                ProbeOutcome::Proof | ProbeOutcome::NoHost | ProbeOutcome::NoProof,
                Phase::Asleep | Phase::Doubting(_) | Phase::Thawing(_) | Phase::Ready,
            ) => {}
        }
    }

    /// Takes the answer to a released request, whose place becomes free.
    pub fn on_response(&mut self, now: Duration, id: RequestId, answered: Answered) {
        let Some(released) = self.flight.remove(id) else {
            return;
        };
        match answered {
            Answered::Normally => self.on_answer(now, &released),
            Answered::Lost(loss) => self.on_loss(now, &released, loss),
        }
    }

    /// Takes the end of a stream, whatever ended it, and gives the request back if it was still held.
    /// An id that is not known changes nothing.
    pub fn on_end(&mut self, id: RequestId, _now: Duration) -> Option<Held> {
        self.flight.remove(id);
        let held = self.queue.remove(id);
        self.settle();
        held
    }

    /// Lets the held requests of a route go on, or all of them: what they wait for is no longer ours.
    /// They go in order, without proof, and not more at once than a first window.
    pub fn let_go(&mut self, _now: Duration, route: Option<&RouteId>) {
        self.queue.let_go(route);
        self.is_retired |= route.is_none();
    }

    /// Gives the held requests of `route` a new time-out, counted from when each was held.
    pub fn set_deadlines(&mut self, route: &RouteId, hold_timeout: Duration) {
        self.queue.set_deadlines(route, hold_timeout);
    }

    /// Says what is to be done now: at most `budget` requests, and a probe. A request that was named is
    /// no longer held; what is left over is for the next poll.
    pub fn poll(&mut self, now: Duration, budget: usize, actions: &mut Vec<GateAction>) {
        self.on_time(now);
        for _ in 0..budget {
            let Some(action) = self.next_action(now) else {
                break;
            };
            actions.push(action);
        }
        self.settle();
        if self.probes()
            && self.prober.is_due(now)
            && let Some((_, via)) = self.queue.first_waiting()
        {
            self.prober.start(now);
            actions.push(GateAction::Probe { via });
        }
    }

    /// When [`poll`](Self::poll) has something to do: `now` if it has already, none if that takes an
    /// event.
    pub fn next_poll(&self, now: Duration) -> Option<Duration> {
        if self.refuses() || self.next_lane().is_some() {
            return Some(now);
        }
        let waits_for_place = self.queue.first_let_go().is_some()
            || (self.queue.n_waiting() > 0 && self.phase.pace().is_some());
        let probe = self.probes().then(|| self.prober.acts_at());
        let place = self.flight.next_taken().filter(|_| waits_for_place);
        let company = self
            .phase
            .pace()
            .and_then(|pace| pace.company_at(self.cap()));
        let next = [
            self.queue.next_deadline(),
            self.canary_anyway_at(),
            probe,
            place,
            company.filter(|_| waits_for_place),
        ];
        next.into_iter().flatten().min().map(|at| at.max(now))
    }
}
