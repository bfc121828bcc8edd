//! What a target scales by.

use std::{num::NonZeroU32, time::Duration};

use super::{
    NotInForce,
    error::{Problem, ReadError, at, within},
};
use crate::GoDuration;
use crate::http_add_on::{
    HttpScalingMetric, ScalingMetric,
    scaling_metric::{DEFAULT_GRANULARITY, DEFAULT_TARGET, DEFAULT_WINDOW},
};

/// What a target scales by: one or both. With both, what asks for more replicas counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Requests at once for each replica.
    pub concurrency: Option<NonZeroU32>,
    /// Requests over time for each replica.
    pub request_rate: Option<RequestRate>,
}

/// Requests over time for each replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// So many in the time of one `granularity`: it is that, and not a second, that the add-on counts in.
    pub target: NonZeroU32,
    /// What is averaged over; at least `granularity`.
    pub window: Duration,
    /// The grain of the average; above zero, and may be below a second.
    pub granularity: Duration,
}

const PENDING_IS_OVERRULED: &str = "scalingMetric counts before it: remove it";

impl RequestRate {
    /// The target in requests per second.
    ///
    /// ```
    /// # use std::{num::NonZeroU32, time::Duration};
    /// # use wakegate_api::http_add_on::RequestRate;
    /// let rate = RequestRate {
    ///     target: NonZeroU32::MIN,
    ///     window: Duration::from_secs(60),
    ///     granularity: Duration::from_millis(500),
    /// };
    /// assert_eq!(rate.target_per_second(), 2.0);
    /// ```
    pub fn target_per_second(&self) -> f64 {
        f64::from(self.target.get()) / self.granularity.as_secs_f64()
    }
}

impl Metrics {
    pub(super) fn read(field: &str, metric: &ScalingMetric) -> Result<Self, ReadError> {
        let ScalingMetric {
            concurrency,
            request_rate,
        } = metric;
        if concurrency.is_none() && request_rate.is_none() {
            return Err(ReadError::new(field, Problem::NoMetric));
        }
        let concurrency = concurrency.as_ref().map(|it| {
            let field = format!("{field}.concurrency.targetValue");
            target(&field, it.target_value.into())
        });
        let request_rate = request_rate.as_ref().map(|it| {
            let field = format!("{field}.requestRate");
            let durations = (it.window.as_ref(), it.granularity.as_ref());
            rate(&field, it.target_value.into(), durations)
        });
        Ok(Self {
            concurrency: concurrency.transpose()?,
            request_rate: request_rate.transpose()?,
        })
    }

    /// Of an HTTPScaledObject, with the deprecated `targetPendingRequests`.
    pub(super) fn read_http(
        metric: Option<&HttpScalingMetric>,
        pending: Option<i32>,
        notes: &mut Vec<NotInForce>,
    ) -> Result<Self, ReadError> {
        const FIELD: &str = "spec.scalingMetric";
        const PENDING: &str = "spec.targetPendingRequests";
        let (concurrency, request_rate) = metric.map_or((None, None), |it| {
            (it.concurrency.as_ref(), it.request_rate.as_ref())
        });
        let has_metric = concurrency.is_some() || request_rate.is_some();
        if has_metric && pending.is_some() {
            notes.push(NotInForce::new(PENDING, PENDING_IS_OVERRULED));
        }
        match (concurrency, request_rate) {
            (Some(_), Some(_)) => Err(ReadError::new(FIELD, Problem::TwoMetrics)),
            (Some(it), None) => {
                let field = format!("{FIELD}.concurrency.targetValue");
                let target = target(&field, it.target_value.unwrap_or(DEFAULT_TARGET))?;
                Ok(Self::concurrency(target))
            }
            (None, Some(it)) => {
                let durations = (it.window.as_ref(), it.granularity.as_ref());
                let value = it.target_value.unwrap_or(DEFAULT_TARGET);
                let rate = rate(&format!("{FIELD}.requestRate"), value, durations)?;
                Ok(Self {
                    concurrency: None,
                    request_rate: Some(rate),
                })
            }
            (None, None) => {
                let value = pending.map_or(DEFAULT_TARGET, i64::from);
                Ok(Self::concurrency(target(PENDING, value)?))
            }
        }
    }

    fn concurrency(target: NonZeroU32) -> Self {
        Self {
            concurrency: Some(target),
            request_rate: None,
        }
    }
}

/// The add-on takes an HTTPScaledObject's for an i32 whatever its schema says, and KEDA has no use for zero.
fn target(field: &str, value: i64) -> Result<NonZeroU32, ReadError> {
    within(field, value, 1..=i64::from(i32::MAX)).map(|target: u32| {
        // Within the bounds, so it is not zero.
        NonZeroU32::new(target).unwrap_or(NonZeroU32::MIN)
    })
}

/// With window and granularity.
fn rate(
    field: &str,
    value: i64,
    (window, granularity): (Option<&GoDuration>, Option<&GoDuration>),
) -> Result<RequestRate, ReadError> {
    let target = target(&format!("{field}.targetValue"), value)?;
    let window_field = format!("{field}.window");
    let window = above_zero(&window_field, window, DEFAULT_WINDOW)?;
    let granularity_field = format!("{field}.granularity");
    let granularity = above_zero(&granularity_field, granularity, DEFAULT_GRANULARITY)?;
    Ok(RequestRate {
        target,
        // A window below its grain has one grain, as with the add-on.
        window: window.max(granularity),
        granularity,
    })
}

fn above_zero(
    field: &str,
    text: Option<&GoDuration>,
    default: &str,
) -> Result<Duration, ReadError> {
    let default = GoDuration::from(default);
    let duration = at(field, text.unwrap_or(&default).parse())?;
    if duration.is_zero() {
        return Err(ReadError::new(field, Problem::Zero));
    }
    Ok(duration)
}
