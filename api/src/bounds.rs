//! What a value may be, the same for annotations and for the WakePolicy.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Requests held at once, per route and worker.
pub(crate) const MAX_HELD: RangeInclusive<u32> = 1..=1_000_000;

/// Kubernetes counts replicas in an i32.
pub(crate) const MOST_REPLICAS: u32 = u32::MAX >> 1;

/// Entries of `noWake`. Each request is held against all of them.
pub(crate) const MAX_NO_WAKE: usize = 16;

/// The status by which a request that wakes nothing is answered.
pub(crate) const NO_WAKE_STATUS: RangeInclusive<u16> = 200..=599;

/// The same, when nobody says.
pub(crate) const DEFAULT_NO_WAKE_STATUS: u16 = 200;

/// Requests for each replica. The HPA knows a thousandth at the least.
pub(crate) const TARGET: RangeInclusive<f64> = 0.001..=1e9;

/// How long a request is held at most.
pub const HOLD_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_hours(1);

/// How long without demand before zero.
pub(crate) const COOLDOWN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);

/// What a rate is averaged over.
pub(crate) const RATE_WINDOW: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(1);
