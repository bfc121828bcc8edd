//! The decisions behind a gate's callbacks.

use std::time::Duration;

use super::{
    CAP_PER_PROXY, Doubt, FIRST_WINDOW, Gate, GateAction, Lane, Loss, Phase, Released, Word,
    pace::Pace, probe::AFTER_NO_PROOF,
};
use crate::Backend;

impl Gate {
    /// Requests that this worker may have released and unanswered.
    pub(super) fn cap(&self) -> usize {
        let per_proxy = self
            .word
            .max_in_flight_per_endpoint
            .map_or(CAP_PER_PROXY, |n| {
                n.get().saturating_mul(self.word.n_ready.max(1))
            });
        let per_worker = (per_proxy / self.n_workers).max(1);
        usize::try_from(per_worker).unwrap_or(usize::MAX)
    }

    /// Whether what waits is to be refused: nothing will wake its backend.
    pub(super) fn refuses(&self) -> bool {
        self.word.is_paused
            && self.word.n_ready == 0
            && matches!(self.phase, Phase::Asleep)
            && self.queue.n_waiting() > 0
    }

    /// Whether a probe would help.
    pub(super) fn probes(&self) -> bool {
        let is_asked = match self.phase {
            Phase::Doubting(_) => true,
            Phase::Asleep => !self.is_connected,
            Phase::Thawing(_) | Phase::Ready => false,
        };
        is_asked && self.word.probe && self.queue.n_waiting() > 0 && !self.refuses()
    }

    /// When a canary goes without proof. With the probe switched off it is the canary that asks.
    pub(super) fn canary_anyway_at(&self) -> Option<Duration> {
        let Phase::Doubting(doubt) = &self.phase else {
            return None;
        };
        if doubt.is_learned && self.queue.n_waiting() == 0 {
            return None;
        }
        if self.word.probe {
            doubt.canary_anyway_at(self.prober.is_under_way())
        } else {
            Some(self.prober.next_at())
        }
    }

    /// What time alone changes.
    pub(super) fn on_time(&mut self, now: Duration) {
        if self.prober.give_up(now)
            && let Phase::Doubting(doubt) = &mut self.phase
        {
            doubt.on_no_proof();
        }
        if self.canary_anyway_at().is_some_and(|at| at <= now) {
            self.thaw();
        }
        let cap = self.cap();
        while let Some(taken) = self.flight.pop_taken(now) {
            if let (Lane::Thaw { thaw, .. }, Phase::Thawing(pace)) = (taken.lane, &mut self.phase)
                && thaw == pace.thaw
            {
                pace.on_taken(cap);
            }
        }
        if let Phase::Thawing(pace) = &mut self.phase {
            pace.on_time(now, cap);
        }
    }

    /// The next request to be told of. A deadline that has come goes before all: an answer then is as
    /// good for the client as one a moment later, and a release is not.
    pub(super) fn next_action(&mut self, now: Duration) -> Option<GateAction> {
        if let Some(held) = self.queue.pop_expired(now) {
            return Some(GateAction::TimeOut(held.id));
        }
        if self.refuses() {
            return self
                .queue
                .pop_waiting()
                .map(|held| GateAction::RefusePaused(held.id));
        }
        let lane = self.next_lane()?;
        let held = match lane {
            Lane::LetGo => self.queue.pop_let_go()?,
            Lane::Thaw { .. } => self.queue.pop_waiting()?,
        };
        self.flight.insert(now, &held, lane);
        if let (Lane::Thaw { .. }, Phase::Thawing(pace)) = (lane, &mut self.phase) {
            pace.on_release(now);
        }
        Some(GateAction::Release(held.id))
    }

    /// The lane whose first request may go now: of two, the one that was held earlier.
    pub(super) fn next_lane(&self) -> Option<Lane> {
        let cap = self.cap();
        if self.flight.len() >= cap {
            return None;
        }
        let let_go = self
            .queue
            .first_let_go()
            .filter(|_| self.flight.n_let_go() < FIRST_WINDOW);
        let waiting = self.phase.pace().and_then(|pace| {
            let has_place = self.flight.n_in_window() < pace.window();
            let (turn, _) = self.queue.first_waiting().filter(|_| has_place)?;
            Some((turn, pace))
        });
        match (waiting, let_go) {
            (Some((turn, _)), Some(other)) if other < turn => Some(Lane::LetGo),
            (Some((_, pace)), _) => Some(Lane::Thaw {
                thaw: pace.thaw,
                round: pace.round(),
            }),
            (None, let_go) => let_go.map(|_| Lane::LetGo),
        }
    }

    pub(super) fn on_answer(&mut self, now: Duration, released: &Released) {
        let Lane::Thaw { thaw, round } = released.lane else {
            return;
        };
        self.after_loss.reset();
        let cap = self.cap();
        if let Phase::Thawing(pace) = &mut self.phase
            && pace.thaw == thaw
            && released.has_place
        {
            pace.on_answer(now.saturating_sub(released.at), round, cap);
        }
    }

    pub(super) fn on_loss(&mut self, now: Duration, released: &Released, loss: Loss) {
        let Lane::Thaw { thaw, round } = released.lane else {
            return;
        };
        let cap = self.cap();
        let is_over = match (&mut self.phase, loss) {
            (Phase::Ready, Loss::NoHost) => true,
            (Phase::Thawing(pace), Loss::NoHost) => pace.thaw == thaw,
            (Phase::Thawing(pace), Loss::Overflow | Loss::Reset | Loss::ConnectFailure) => {
                pace.thaw == thaw && pace.on_loss(round, cap)
            }
            (Phase::Asleep | Phase::Doubting(_) | Phase::Ready, _) => false,
        };
        if is_over {
            self.fall_back(now, loss == Loss::NoHost);
        }
    }

    /// Goes back to asking after a lost canary, each time a little later.
    pub(super) fn fall_back(&mut self, now: Duration, is_learned: bool) {
        let at = now.saturating_add(self.after_loss.next(AFTER_NO_PROOF));
        if self.word.n_ready == 0 {
            self.sleep(at);
        } else if is_learned {
            self.enter_doubt(at, Doubt::learned(at));
        } else {
            self.enter_doubt(at, Doubt::of_word(at));
        }
    }

    /// Falls asleep; a probe, if any, goes out at `probe_at`.
    pub(super) fn sleep(&mut self, probe_at: Duration) {
        self.phase = Phase::Asleep;
        self.prober.restart(probe_at);
    }

    /// The backend is said to be ready.
    pub(super) fn wake(&mut self, now: Duration) {
        if self.word.probe && self.queue.n_waiting() > 0 {
            self.enter_doubt(now, Doubt::of_word(now));
        } else {
            self.thaw();
        }
    }

    pub(super) fn enter_doubt(&mut self, probe_at: Duration, doubt: Doubt) {
        self.phase = Phase::Doubting(doubt);
        self.prober.restart(probe_at);
    }

    pub(super) fn thaw(&mut self) {
        self.n_thaws = self.n_thaws.wrapping_add(1);
        self.flight.begin_thaw(self.n_thaws);
        self.phase = Phase::Thawing(Pace::new(self.n_thaws));
        self.settle();
    }

    /// A thaw that holds nothing is over.
    pub(super) fn settle(&mut self) {
        if matches!(self.phase, Phase::Thawing(_)) && self.queue.is_empty() {
            self.phase = Phase::Ready;
        }
    }
}

impl Word {
    /// What the control plane's word alone says.
    pub(super) fn phase(&self) -> Phase {
        if self.n_ready == 0 {
            Phase::Asleep
        } else {
            Phase::Ready
        }
    }
}

impl From<&Backend> for Word {
    fn from(backend: &Backend) -> Self {
        Self {
            n_ready: backend.ready_endpoints,
            is_paused: backend.paused,
            probe: backend.probe,
            max_in_flight_per_endpoint: backend.max_in_flight_per_endpoint,
        }
    }
}
