//! Which requests are meant.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::null;

/// Requests by host, path and headers: all that is said here must hold, and what is not said always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoutingRule {
    /// Their host is one of these: a name, `*.` and a name for all that is below it, or `*` for any.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub hosts: Vec<String>,
    /// Their path begins with one of these.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub paths: Vec<PathMatch>,
    /// They have all of these headers.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub headers: Vec<HeaderMatch>,
}

/// What a path begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathMatch {
    /// Whole segments: `/api` is the beginning of `/api/v1` and not of `/apiv1`. The longest counts.
    #[schemars(length(min = 1))]
    pub value: String,
}

/// A header that a request must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// Its name, in whatever case.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its whole value; any where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
