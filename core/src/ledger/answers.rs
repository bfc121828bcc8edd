//! What a ledger knows, for whoever asks.

use std::time::Duration;

use super::{
    Ledger, MAX_HORIZON, MEAN_WINDOW,
    count::Count,
    life::{Life, Via},
    millis,
};
use crate::Key;

/// Requests under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Kept in Envoy until the backend is awake.
    pub held: u64,
    /// At the backend.
    pub running: u64,
}

impl Ledger {
    /// What is under way now, under all of `keys`.
    pub fn in_flight<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
        now: Duration,
    ) -> InFlight {
        sum(self.live_counts(keys, now).map(|(_, count)| count))
    }

    /// What is under way now by what workers said to this replica itself, under all of `keys`: so that the sum over
    /// replicas is the whole.
    pub fn in_flight_here<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
        now: Duration,
    ) -> InFlight {
        let here = self
            .live_counts(keys, now)
            .filter(|(life, _)| life.via == Via::Here);
        sum(here.map(|(_, count)| count))
    }

    /// Requests that started within the last `window`, a second more or less, under all of `keys`.
    pub fn started<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
        now: Duration,
        window: Duration,
    ) -> u64 {
        let window = millis(window.min(MAX_HORIZON));
        self.counts_of(keys)
            .map(|(life, count)| count.started_within(life.line_at(self.clock(life, now)), window))
            .fold(0, u64::saturating_add)
    }

    /// The time-weighted mean of held + running over the last 15 s, under all of `keys`: exact but for
    /// what happened since the last reports, which counts as unchanged.
    pub fn mean<'a>(&self, keys: impl IntoIterator<Item = &'a Key>, now: Duration) -> f64 {
        let window = millis(MEAN_WINDOW);
        let integral = self
            .counts_of(keys)
            .map(|(life, count)| {
                let now = self.clock(life, now);
                count.integral_within(life.line_at(now), window, life.is_live(now))
            })
            .fold(0, u64::saturating_add);
        to_f64(integral) / to_f64(window)
    }

    /// Whether some live worker has a table with `key`: so that its saying nothing of it means something.
    pub fn knows(&self, key: &Key, now: Duration) -> bool {
        self.known
            .holders(key)
            .filter_map(|id| self.lives.get(&id))
            .any(|life| self.is_live(life, now))
    }

    /// Whether this ledger has listened for long enough to call anything idle.
    pub fn is_settled(&self, now: Duration) -> bool {
        self.heard_for(now) >= self.settling
    }

    /// How long this ledger has listened.
    pub fn heard_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// Workers heard within the last 10 s, by this replica or another.
    pub fn n_live(&self, now: Duration) -> usize {
        let lives = self.lives.values();
        lives.filter(|life| self.is_live(life, now)).count()
    }

    /// Of these, those that report to this replica.
    pub fn n_here(&self, now: Duration) -> usize {
        let here = |life: &&Life| life.via == Via::Here && self.is_live(life, now);
        self.lives.values().filter(here).count()
    }

    /// Keys with numbers.
    pub fn n_keys(&self) -> usize {
        self.counts.len()
    }

    /// The time that a worker's numbers go by: it stands still while the replica is not heard that heard the worker.
    fn clock(&self, life: &Life, now: Duration) -> Duration {
        self.peers.clock(life.via, now)
    }

    fn is_live(&self, life: &Life, now: Duration) -> bool {
        life.is_live(self.clock(life, now))
    }

    fn live_counts<'a, 's>(
        &'s self,
        keys: impl IntoIterator<Item = &'a Key>,
        now: Duration,
    ) -> impl Iterator<Item = (&'s Life, &'s Count)> {
        self.counts_of(keys)
            .filter(move |(life, _)| self.is_live(life, now))
    }

    fn counts_of<'a, 's>(
        &'s self,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> impl Iterator<Item = (&'s Life, &'s Count)> {
        keys.into_iter()
            .filter_map(|key| self.counts.get(key))
            .flatten()
            .filter_map(|(id, count)| Some((self.lives.get(id)?, count)))
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> InFlight {
    counts.fold(InFlight::default(), |sum, count| InFlight {
        held: sum.held + u64::from(count.held),
        running: sum.running + u64::from(count.running),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and windows stay far below 2^52"
)]
fn to_f64(n: u64) -> f64 {
    n as f64
}
