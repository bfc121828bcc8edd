//! What becomes of requests while no endpoint is ready.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{service::ServiceRef, static_response::StaticResponse};

/// The values of `overflow`, the default first.
pub(super) const OVERFLOWS: [&str; 2] = ["Reject", "Placeholder"];

/// What becomes of requests while no endpoint is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "has(self.maxPendingRequests) || has(self.placeholder) || has(self.fallback)"
    ).message("it says nothing: set fallback, placeholder or maxPendingRequests"),
    validation = Rule::new(
        "has(self.placeholder) || !has(self.overflow) || self.overflow != 'Placeholder'"
    ).message("overflow Placeholder needs an answer: set placeholder")
)]
pub struct ColdStartSpec {
    /// What gets the requests that were held for the whole of `timeouts.readiness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ColdStartFallback>,
    /// What answers them at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<ColdStartPlaceholder>,
    /// The most requests that are held at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_pending_requests: Option<i32>,
    /// What those beyond get. `Reject`: a 503. `Placeholder`: the placeholder, which then answers nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = OVERFLOWS, "default" = OVERFLOWS[0]))]
    pub overflow: Option<String>,
}

/// A stand-in for the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColdStartFallback {
    /// The Service.
    pub service: ServiceRef,
}

/// An answer instead of the target's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColdStartPlaceholder {
    /// The answer.
    pub response: StaticResponse,
}
