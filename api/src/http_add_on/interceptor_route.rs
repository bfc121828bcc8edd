//! InterceptorRoute: which requests go to a Service, what it scales by, and what is answered meanwhile.
//! Whoever writes one writes the ScaledObject as well.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::transform::RecursiveTransform;
use serde::{Deserialize, Serialize};

use super::{
    cold_start::ColdStartSpec, conditions, null, routing_rule::RoutingRule,
    scaling_metric::ScalingMetric, service::TargetRef, session_persistence::SessionPersistence,
    static_response::StaticRoute,
};
use crate::{GoDuration, plain_schema};

/// What an InterceptorRoute asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "http.keda.sh",
    version = "v1beta1",
    kind = "InterceptorRoute",
    plural = "interceptorroutes",
    namespaced,
    doc = "Which requests go to a Service, what it scales by, and what is answered meanwhile.",
    status = "InterceptorRouteStatus",
    printcolumn = r#"{"name":"TargetService","type":"string","jsonPath":".spec.target.service"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = RecursiveTransform(plain_schema::plain))]
pub struct InterceptorRouteSpec {
    /// What the requests go to.
    pub target: TargetRef,
    /// What becomes of them while no endpoint is ready: they are held where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start: Option<ColdStartSpec>,
    /// How long things may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<InterceptorRouteTimeouts>,
    /// The requests: those that one of these means. None where there is none.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub rules: Vec<RoutingRule>,
    /// What the target scales by.
    pub scaling_metric: ScalingMetric,
    /// Requests among them that scale nothing, each with its answer. The first that means a request counts.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub static_routes: Vec<StaticRoute>,
    /// Whether requests of one session go to one pod; not where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<SessionPersistence>,
}

/// How long things may take, as Go writes durations. `0s` is without end; what is not said is for the
/// settings of the whole installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterceptorRouteTimeouts {
    /// Until an endpoint is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<GoDuration>,
    /// A request as a whole, the wait for an endpoint included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<GoDuration>,
    /// From when a request is sent on until the headers of its answer are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_header: Option<GoDuration>,
}

/// What became of an InterceptorRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = RecursiveTransform(plain_schema::plain))]
pub struct InterceptorRouteStatus {
    /// `Ready`.
    #[serde(
        default,
        deserialize_with = "conditions::of_today",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}
