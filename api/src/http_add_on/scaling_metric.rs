//! What replicas are counted by, in the words of each of the two kinds.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use kube::KubeSchema;
use schemars::Schema;
use serde::{Deserialize, Serialize};

use crate::GoDuration;

/// What an HTTPScaledObject aims at where it does not say.
pub(super) const DEFAULT_TARGET: i64 = 100;

/// What a rate is averaged over where nobody says.
pub(super) const DEFAULT_WINDOW: &str = "1m";

/// The grain of a rate where nobody says.
pub(super) const DEFAULT_GRANULARITY: &str = "1s";

/// What an InterceptorRoute scales by: one or both. With both, what asks for more replicas counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.requestRate) || has(self.concurrency)")
    .message("there is nothing to scale by: set concurrency, requestRate or both"))]
pub struct ScalingMetric {
    /// Requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyTarget>,
    /// Requests over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_rate: Option<RequestRateTarget>,
}

/// Scales by requests at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyTarget {
    /// So many for each replica.
    #[schemars(range(min = 1))]
    pub target_value: i32,
}

/// Scales by requests over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestRateTarget {
    /// So many for each replica, in the time of one `granularity`.
    #[schemars(range(min = 1))]
    pub target_value: i32,
    /// What is averaged over, as Go writes durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_WINDOW))]
    pub window: Option<GoDuration>,
    /// The grain of the average, as Go writes durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_GRANULARITY))]
    pub granularity: Option<GoDuration>,
}

/// What an HTTPScaledObject scales by: at most one; requests at once where neither is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpScalingMetric {
    /// Requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<HttpConcurrencyMetric>,
    /// Requests over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_rate: Option<HttpRateMetric>,
}

/// Scales by requests at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpConcurrencyMetric {
    /// So many for each replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_TARGET), transform = without_format)]
    pub target_value: Option<i64>,
}

/// Scales by requests over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRateMetric {
    /// So many for each replica, in the time of one `granularity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_TARGET), transform = without_format)]
    pub target_value: Option<i64>,
    /// What is averaged over, as Go writes durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_WINDOW))]
    pub window: Option<GoDuration>,
    /// The grain of the average, as Go writes durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_GRANULARITY))]
    pub granularity: Option<GoDuration>,
}

/// The add-on's schema names no width for these.
fn without_format(schema: &mut Schema) {
    schema.remove("format");
}
