//! How fast one thaw goes: a canary, then a window that grows while the backend keeps up.

use std::time::Duration;

/// The window that a canary's answer opens, in requests: fills a backend of moderate speed, and is far
/// below the 1,024 of Envoy's circuit breakers even when every worker of a proxy thaws.
pub(super) const FIRST_WINDOW: usize = 32;

/// A canary that is not answered for so long gets company, one request at a time: a backend that takes
/// ten seconds for an answer drains, and one that hangs costs a request each two seconds at most.
const CANARY_PATIENCE: Duration = Duration::from_secs(2);

/// Losses with no answer between them that end a thaw. One or two are a connection that broke; three
/// in a row are a backend that is gone or breakers that are full, and each further release is lost too.
const LOST_IN_A_ROW: u32 = 3;

/// The least latency that a round is measured by: below it, callbacks and the clock are what is
/// measured, and doubling means nothing.
const LEAST_LATENCY: Duration = Duration::from_millis(1);

/// The pace of one thaw.
#[derive(Debug)]
pub(super) struct Pace {
    /// The number of the thaw.
    pub(super) thaw: u64,
    stage: Stage,
    round: Round,
    /// The mean latency of the first full round.
    first_latency: Option<Duration>,
    n_lost_in_a_row: u32,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was answered yet. `company_at` is set once a canary is under way.
    Canary {
        n_allowed: usize,
        company_at: Option<Duration>,
    },
    /// The canary was answered.
    Open { window: usize },
}

/// As many answers as the window is wide, of requests that were released since the window has this
/// width: what they waited is what a window of this width does to the backend.
#[derive(Debug, Default)]
struct Round {
    number: u32,
    n_answered: u32,
    latency: Duration,
}

impl Pace {
    pub(super) fn new(thaw: u64) -> Self {
        Self {
            thaw,
            stage: Stage::Canary {
                n_allowed: 1,
                company_at: None,
            },
            round: Round::default(),
            first_latency: None,
            n_lost_in_a_row: 0,
        }
    }

    /// Requests that may have a place at once.
    pub(super) fn window(&self) -> usize {
        match self.stage {
            Stage::Canary { n_allowed, .. } => n_allowed,
            Stage::Open { window } => window,
        }
    }

    /// The number of the round that a request released now belongs to.
    pub(super) fn round(&self) -> u32 {
        self.round.number
    }

    /// When the canary gets company, if nothing is answered before.
    pub(super) fn company_at(&self, cap: usize) -> Option<Duration> {
        match self.stage {
            Stage::Canary {
                n_allowed,
                company_at,
            } if n_allowed < FIRST_WINDOW.min(cap) => company_at,
            Stage::Canary { .. } | Stage::Open { .. } => None,
        }
    }

    pub(super) fn on_time(&mut self, now: Duration, cap: usize) {
        if self.company_at(cap).is_none_or(|at| at > now) {
            return;
        }
        if let Stage::Canary {
            n_allowed,
            company_at,
        } = &mut self.stage
        {
            *n_allowed = n_allowed.saturating_add(1);
            *company_at = Some(now.saturating_add(CANARY_PATIENCE));
        }
    }

    pub(super) fn on_release(&mut self, now: Duration) {
        if let Stage::Canary { company_at, .. } = &mut self.stage {
            *company_at = Some(now.saturating_add(CANARY_PATIENCE));
        }
    }

    /// A request that is known to be long was taken: as good as an answer for a canary, but it says
    /// nothing of latency.
    pub(super) fn on_taken(&mut self, cap: usize) {
        if let Stage::Canary { .. } = self.stage {
            self.open(cap);
        }
    }

    /// A request released in `round` was answered `latency` after its release.
    pub(super) fn on_answer(&mut self, latency: Duration, round: u32, cap: usize) {
        self.n_lost_in_a_row = 0;
        match self.stage {
            Stage::Canary { .. } => self.open(cap),
            Stage::Open { window } if round == self.round.number => {
                self.round.n_answered = self.round.n_answered.saturating_add(1);
                self.round.latency = self.round.latency.saturating_add(latency);
                if usize::try_from(self.round.n_answered).is_ok_and(|n| n >= window.min(cap)) {
                    self.end_round(window, cap);
                }
            }
            Stage::Open { .. } => {}
        }
    }

    /// A request released in `round` was lost. Says whether that ends the thaw.
    pub(super) fn on_loss(&mut self, round: u32, cap: usize) -> bool {
        self.n_lost_in_a_row = self.n_lost_in_a_row.saturating_add(1);
        match self.stage {
            Stage::Canary { .. } => true,
            Stage::Open { .. } if self.n_lost_in_a_row >= LOST_IN_A_ROW => true,
            // What else was under way when the window was halved belongs to the same misfortune.
            Stage::Open { .. } if round != self.round.number => false,
            Stage::Open { window } => {
                self.stage = Stage::Open {
                    window: (window.min(cap) / 2).max(1),
                };
                self.next_round();
                false
            }
        }
    }

    fn open(&mut self, cap: usize) {
        self.stage = Stage::Open {
            window: FIRST_WINDOW.min(cap),
        };
        self.next_round();
    }

    /// Compares means, not maxima: one slow request in sixty-four says something of itself, a mean that
    /// doubles says that requests queue at the backend.
    fn end_round(&mut self, window: usize, cap: usize) {
        let mean = (self.round.latency / self.round.n_answered.max(1)).max(LEAST_LATENCY);
        let first = *self.first_latency.get_or_insert(mean);
        if mean < first.saturating_mul(2) {
            self.stage = Stage::Open {
                window: window.saturating_mul(2).min(cap),
            };
        }
        self.next_round();
    }

    fn next_round(&mut self) {
        self.round = Round {
            number: self.round.number.wrapping_add(1),
            ..Round::default()
        };
    }
}
