//! Answers that no backend gives.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{null, routing_rule::RoutingRule};

/// The longest body that stands in the object, in characters.
pub(super) const MAX_BODY: usize = 32_768;

/// The values of `responseMode`, the default last.
pub(super) const RESPONSE_MODES: [&str; 2] = ["Always", "WhenUnavailable"];

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.bodyFromConfigMap) || !has(self.body)")
    .message("an answer has one body: remove body or bodyFromConfigMap"))]
pub struct StaticResponse {
    /// Its status. Where it is not said: 503 for a placeholder, 200 for a static route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub status_code: Option<i32>,
    /// Its body; none where neither this nor `bodyFromConfigMap` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_BODY))]
    pub body: Option<String>,
    /// Where its body is, in the route's namespace. The ConfigMap has the label
    /// `http.keda.sh/response-body: "true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_from_config_map: Option<ConfigMapKeyRef>,
    /// Its headers.
    #[serde(
        default,
        deserialize_with = "null::is_left_out",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub headers: BTreeMap<String, String>,
}

/// One entry of a ConfigMap, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// The name of the ConfigMap.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The entry. Where it is not said: the one called as the path of the request without its first `/`,
    /// `index.html` for `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Requests that scale nothing, and their answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaticRoute {
    /// The requests: those that one of these means.
    #[schemars(length(min = 1))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub rules: Vec<RoutingRule>,
    /// The answer.
    pub response: StaticResponse,
    /// `WhenUnavailable`: answers while no endpoint is ready, and lets requests through else. `Always`: the
    /// backend gets none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = RESPONSE_MODES, "default" = RESPONSE_MODES[1]))]
    pub response_mode: Option<String>,
}
