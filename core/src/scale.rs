//! What KEDA is told of a workload: idle or active, and its metrics. When a stream says so is
//! [`Push`]'s part; which workload a trigger means, [`Book`]'s.

mod book;
mod push;
#[cfg(test)]
mod tests;

use std::{num::NonZeroU32, time::Duration};

use crate::{Key, Ledger, ledger::MAX_HORIZON};

pub use self::book::{Book, BookError, TRIGGER_KINDS};
pub use self::push::{Push, Say, View};

/// KEDA's polling interval for a ScaledObject that does not say. Those that Wakegate writes say 15 s, in
/// the trigger's metadata too.
const DEFAULT_POLLING_INTERVAL: Duration = Duration::from_secs(30);

/// Beyond the polling interval a start stays activity for this long, so that no poll that comes late
/// misses it.
const POLL_SLACK: Duration = Duration::from_secs(5);

/// The concurrency target of a workload without any target.
const DEFAULT_CONCURRENCY: f64 = 100.0;

/// The divisor of a rate while the ledger is younger than its window: less makes the first requests after
/// a restart of the scaler look like a flood.
const MIN_RATE_WINDOW: Duration = Duration::from_secs(15);

/// The shortest window of a rate: workers report each second, and a report would fall into a shorter one whole
/// or not at all.
const SHORTEST_RATE_WINDOW: Duration = Duration::from_secs(1);

/// What KEDA scales, and whose demand counts for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// `namespace/Kind/name`.
    pub id: String,
    /// Where its ScaledObject is.
    pub namespace: String,
    /// The keys whose sum is its demand.
    pub keys: Vec<Key>,
    /// The names that a trigger may use for it.
    pub aliases: Vec<Alias>,
    /// What one replica is to serve.
    pub targets: Targets,
    /// Ready endpoints of its Services.
    pub ready_endpoints: u32,
    /// `spec.replicas`, where it is known.
    pub replicas: Option<u32>,
}

/// A name that a trigger's metadata may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias {
    /// The key of the metadata, such as `httpRoute`.
    pub kind: String,
    /// Its value.
    pub name: String,
}

/// What one replica is to serve; without either, 100 requests at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets {
    /// Requests at a time.
    pub concurrency: Option<f64>,
    /// Requests in each `rate_granularity`.
    pub rate: Option<f64>,
    /// What the rate is averaged over: more than 10 min as 10 min, less than 1 s as 1 s.
    pub rate_window: Duration,
    /// What the rate is given per.
    pub rate_granularity: Duration,
}

/// A metric, as KEDA and the HPA know it. The names are for ever: an HPA refers to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Requests at a time.
    Concurrency,
    /// Requests in each granularity.
    Rate,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// Now.
    pub now: Duration,
    /// How long a start is activity: see [`active_window`].
    pub window: Duration,
    /// What the rate is averaged over, and given per.
    pub targets: Targets,
}

/// What KEDA is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Nothing can be said, which must not pass for nothing to do.
    Unknown(Unknown),
    /// Live workers know all keys and have nothing for them.
    Idle(Reading),
    /// Something is held or running, or started within the window.
    Active(Reading),
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Workers reconnect one by one.
    #[error("the scaler started a moment ago and has not heard all workers yet")]
    Settling,
    /// What the other replica's workers do is not known.
    #[error("replica {0} of the scaler is not heard, and may know of requests")]
    Unheard(String),
    /// Silence of a key is not idleness.
    #[error("no live worker has said that its table contains {0}")]
    NoWorker(Key),
    /// The workload has no key.
    #[error("the workload has no key to count under")]
    NoKeys,
}

/// The demand of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Requests held now.
    pub held: u64,
    /// Requests running now.
    pub running: u64,
    /// The mean of held + running over the last 15 s, but never below what is held now.
    pub concurrency: f64,
    /// Requests in each granularity, over the rate's window.
    pub rate: f64,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            concurrency: None,
            rate: None,
            rate_window: Duration::from_mins(1),
            rate_granularity: Duration::from_secs(1),
        }
    }
}

impl Targets {
    /// These, if they say anything, else the others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        if self.concurrency.is_none() && self.rate.is_none() {
            others
        } else {
            self
        }
    }

    /// The metrics that KEDA gets, with their targets: always one at least.
    pub fn metrics(&self) -> Vec<(Metric, f64)> {
        let valid =
            |target: Option<f64>| target.filter(|target| target.is_finite() && *target > 0.0);
        let concurrency = valid(self.concurrency).map(|target| (Metric::Concurrency, target));
        let rate = valid(self.rate).map(|target| (Metric::Rate, target));
        let metrics: Vec<_> = concurrency.into_iter().chain(rate).collect();
        if metrics.is_empty() {
            vec![(Metric::Concurrency, DEFAULT_CONCURRENCY)]
        } else {
            metrics
        }
    }
}

impl Metric {
    /// Its name without the `s0-` that KEDA puts before it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Rate => "rate",
        }
    }

    /// The metric of a name that [`Metric::name`] gave.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Concurrency, Self::Rate]
            .into_iter()
            .find(|metric| metric.name() == name)
    }

    /// Its value.
    pub fn of(self, reading: &Reading) -> f64 {
        match self {
            Self::Concurrency => reading.concurrency,
            Self::Rate => reading.rate,
        }
    }
}

impl Workload {
    /// Whether it has no replica, so that only a `true` can wake it. Where replicas are not known, no
    /// ready endpoint stands for none.
    pub fn is_asleep(&self) -> bool {
        self.replicas
            .map_or(self.ready_endpoints == 0, |replicas| replicas == 0)
    }
}

/// How long a start stays activity for a ScaledObject with this polling interval.
pub fn active_window(polling_interval: Option<NonZeroU32>) -> Duration {
    let polling = polling_interval.map_or(DEFAULT_POLLING_INTERVAL, |secs| {
        Duration::from_secs(u64::from(secs.get()))
    });
    polling + POLL_SLACK
}

/// What KEDA is told of the workload whose demand `keys` are.
///
/// Demand is a fact whoever reports it; that there is none takes a live worker for each key, a ledger that has
/// listened for long enough, and that every other replica is heard.
///
/// ```
/// # use std::time::Duration;
/// # use wakegate_core::{Ledger, Question, Scale, Targets, scale};
/// let ledger = Ledger::new(Duration::ZERO);
/// let (now, window) = (Duration::from_secs(60), Duration::from_secs(20));
/// let question = Question { now, window, targets: Targets::default() };
/// assert!(matches!(scale(&ledger, &["service/shop/web".into()], &question), Scale::Unknown(_)));
/// ```
pub fn scale(ledger: &Ledger, keys: &[Key], question: &Question) -> Scale {
    let Question {
        now,
        window,
        ref targets,
    } = *question;
    let in_flight = ledger.in_flight(keys, now);
    let reading = Reading {
        held: in_flight.held,
        running: in_flight.running,
        concurrency: ledger.mean(keys, now).max(to_f64(in_flight.held)),
        rate: rate(ledger, keys, targets, now),
    };
    if in_flight.held + in_flight.running > 0 || ledger.started(keys, now, window) > 0 {
        return Scale::Active(reading);
    }
    if keys.is_empty() {
        return Scale::Unknown(Unknown::NoKeys);
    }
    if let Some(peer) = ledger.peers().unheard(now) {
        return Scale::Unknown(Unknown::Unheard(peer.to_owned()));
    }
    if let Some(key) = keys.iter().find(|key| !ledger.knows(key, now)) {
        return Scale::Unknown(Unknown::NoWorker(key.clone()));
    }
    if !ledger.is_settled(now) {
        return Scale::Unknown(Unknown::Settling);
    }
    Scale::Idle(reading)
}

fn rate(ledger: &Ledger, keys: &[Key], targets: &Targets, now: Duration) -> f64 {
    let Targets {
        rate_window,
        rate_granularity,
        ..
    } = *targets;
    // Divided by no more than what is remembered, and by no less than what is told apart.
    let rate_window = rate_window.clamp(SHORTEST_RATE_WINDOW, MAX_HORIZON);
    let heard = ledger.heard_for(now).max(MIN_RATE_WINDOW).min(rate_window);
    let n_granules = heard.as_secs_f64() / rate_granularity.as_secs_f64();
    if n_granules > 0.0 && n_granules.is_finite() {
        to_f64(ledger.started(keys, now, rate_window)) / n_granules
    } else {
        0.0
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "requests under way stay far below 2^52"
)]
fn to_f64(n: u64) -> f64 {
    n as f64
}
