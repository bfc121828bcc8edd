//! Where a gate stands, with what belongs to each state.

use std::time::Duration;

use super::{
    GateState,
    pace::Pace,
    probe::{self, Pause},
};

/// A canary goes anyway after so long, when probes reached the backend and proved nothing: many
/// backends refuse a `HEAD /` that would serve the request.
const CANARY_ANYWAY_AFTER: Duration = Duration::from_secs(2);

/// A canary goes anyway after so long, when Envoy had no host for any probe. Five times longer: what is
/// sent to no host is lost for certain, and Envoy may learn of an endpoint seconds after us.
const CANARY_ANYWAY_WITHOUT_HOST_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) enum Phase {
    Asleep,
    Doubting(Doubt),
    Thawing(Pace),
    Ready,
}

/// The control plane says ready; whether Envoy agrees is not known, or it was seen not to.
#[derive(Debug)]
pub(super) struct Doubt {
    since: Duration,
    /// Whether a probe was on the wire and proved nothing.
    was_unproven: bool,
    /// Learned zero: Envoy had no host for a request. Then no time heals, only a word or a sign.
    pub(super) is_learned: bool,
}

impl Phase {
    pub(super) fn state(&self) -> GateState {
        match self {
            Self::Asleep => GateState::Asleep,
            Self::Doubting(doubt) if doubt.is_learned => GateState::Asleep,
            Self::Doubting(_) => GateState::Proving,
            Self::Thawing(_) => GateState::Thawing,
            Self::Ready => GateState::Ready,
        }
    }

    pub(super) fn pace(&self) -> Option<&Pace> {
        match self {
            Self::Thawing(pace) => Some(pace),
            Self::Asleep | Self::Doubting(_) | Self::Ready => None,
        }
    }

    /// The pause between probes for which Envoy had no host.
    pub(super) fn after_no_host(&self) -> Pause {
        match self {
            Self::Doubting(doubt) if doubt.is_learned => probe::LEARNED_ZERO,
            Self::Doubting(_) => probe::ENDPOINTS_COMING,
            Self::Asleep | Self::Thawing(_) | Self::Ready => probe::CONTROL_PLANE_GONE,
        }
    }
}

impl Doubt {
    /// The control plane said ready.
    pub(super) fn of_word(since: Duration) -> Self {
        Self {
            since,
            was_unproven: false,
            is_learned: false,
        }
    }

    /// A request found no host although the control plane says ready.
    pub(super) fn learned(since: Duration) -> Self {
        Self {
            is_learned: true,
            ..Self::of_word(since)
        }
    }

    pub(super) fn on_no_proof(&mut self) {
        self.was_unproven = true;
    }

    /// When a canary goes without proof. A probe that is under way is on the wire: it found a host.
    pub(super) fn canary_anyway_at(&self, is_probe_under_way: bool) -> Option<Duration> {
        if self.was_unproven || is_probe_under_way {
            Some(self.since.saturating_add(CANARY_ANYWAY_AFTER))
        } else if self.is_learned {
            None
        } else {
            Some(self.since.saturating_add(CANARY_ANYWAY_WITHOUT_HOST_AFTER))
        }
    }
}
