//! HTTPScaledObject: which requests go to a Service, and how the workload behind it scales. The add-on has
//! deprecated it for InterceptorRoute.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::transform::RecursiveTransform;
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    names::{ORPHAN_SCALED_OBJECT, SKIP_SCALED_OBJECT, YES},
    null,
    routing_rule::HeaderMatch,
    scaling_metric::HttpScalingMetric,
    service::{ONE_PORT, ONE_PORT_MESSAGE},
};
use crate::{GoDuration, plain_schema};

/// After how many seconds requests go to the stand-in where nobody says.
pub(super) const DEFAULT_FAILOVER_SECS: i32 = 30;

/// What an HTTPScaledObject asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "http.keda.sh",
    version = "v1alpha1",
    kind = "HTTPScaledObject",
    root = "HttpScaledObject",
    plural = "httpscaledobjects",
    shortname = "httpso",
    namespaced,
    doc = "Which requests go to a Service, and how the workload behind it scales.",
    status = "HttpScaledObjectStatus",
    printcolumn = r#"{"name":"TargetWorkload","type":"string","jsonPath":".status.targetWorkload"}"#,
    printcolumn = r#"{"name":"TargetService","type":"string","jsonPath":".status.targetService"}"#,
    printcolumn = r#"{"name":"MinReplicas","type":"integer","jsonPath":".spec.replicas.min"}"#,
    printcolumn = r#"{"name":"MaxReplicas","type":"integer","jsonPath":".spec.replicas.max"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = RecursiveTransform(plain_schema::plain))]
pub struct HttpScaledObjectSpec {
    /// Requests by their host: a name, `*.` and a name for all that is below it, or `*`. Any where none is here.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub hosts: Vec<String>,
    /// What their path begins with, by whole segments; any path where none is here.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub path_prefixes: Vec<String>,
    /// Headers that they all have.
    #[serde(
        default,
        deserialize_with = "null::is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub headers: Vec<HeaderMatch>,
    /// What they go to, and the workload behind it.
    pub scale_target_ref: ScaleTargetRef,
    /// What gets the requests that were held too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start_timeout_failover_ref: Option<ColdStartTimeoutFailoverRef>,
    /// How many replicas there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Deprecated: requests at once for each replica, where `scalingMetric` says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_pending_requests: Option<i32>,
    /// Seconds without demand before zero; 300 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaledown_period: Option<i32>,
    /// Seconds after the ScaledObject was made before it may scale to zero; 0 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_cooldown_period: Option<i32>,
    /// What the workload scales by; 100 requests at once for each replica where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_metric: Option<HttpScalingMetric>,
    /// How long things may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HttpTimeouts>,
}

/// What requests go to, and the workload behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_PORT).message(ONE_PORT_MESSAGE))]
pub struct ScaleTargetRef {
    /// The name of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its group and version; `apps/v1` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its kind; `Deployment` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name of the Service, in the object's namespace.
    pub service: String,
    /// A port of the Service, not of its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// The name of a port of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_name: Option<String>,
}

/// A stand-in for the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_PORT).message(ONE_PORT_MESSAGE))]
pub struct ColdStartTimeoutFailoverRef {
    /// The name of the Service, in the object's namespace.
    pub service: String,
    /// A port of the Service, not of its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// The name of a port of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_name: Option<String>,
    /// For how many seconds requests are held before they go to it. Counts before `timeouts.conditionWait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_FAILOVER_SECS))]
    pub timeout_seconds: Option<i32>,
}

/// How many replicas there may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// Replicas that always stay; 0 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i32>,
    /// The most replicas; 100 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
}

/// How long things may take, as Go writes durations. What is not said or `0s` is for the settings of the whole
/// installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpTimeouts {
    /// Until an endpoint is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition_wait: Option<GoDuration>,
    /// From when a request is sent on until the headers of its answer are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_header: Option<GoDuration>,
}

/// What became of an HTTPScaledObject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = RecursiveTransform(plain_schema::plain))]
pub struct HttpScaledObjectStatus {
    /// The workload, as in `apps/v1/Deployment/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_workload: Option<String>,
    /// The Service and its port, as in `web:8080`; 0 for a port that has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_service: Option<String>,
    /// `Ready`.
    #[serde(
        default,
        deserialize_with = "conditions::of_today",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}

/// Whether someone else writes the ScaledObject of an HTTPScaledObject, by [`SKIP_SCALED_OBJECT`].
pub fn skips_scaled_object(metadata: &ObjectMeta) -> bool {
    says_yes(metadata, SKIP_SCALED_OBJECT)
}

/// Whether the ScaledObject of an HTTPScaledObject stays when that goes, by [`ORPHAN_SCALED_OBJECT`].
pub fn orphans_scaled_object(metadata: &ObjectMeta) -> bool {
    says_yes(metadata, ORPHAN_SCALED_OBJECT)
}

fn says_yes(metadata: &ObjectMeta, annotation: &str) -> bool {
    let annotations = metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(annotation))
        .is_some_and(|it| it == YES)
}

impl HttpScaledObjectSpec {
    /// The workload as the status names it: `apps/v1/Deployment/web`. What is not said is left empty.
    pub fn target_workload(&self) -> String {
        let ScaleTargetRef {
            name,
            api_version,
            kind,
            ..
        } = &self.scale_target_ref;
        let said = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}/{}/{}", said(api_version), said(kind), said(name))
    }

    /// The Service as the status names it: `web:8080`, with the port 0 for one that has a name.
    pub fn target_service(&self) -> String {
        let ScaleTargetRef { service, port, .. } = &self.scale_target_ref;
        format!("{service}:{}", port.unwrap_or_default())
    }
}

/// The CRD of HTTPScaledObject, which is not quite [`CustomResourceExt::crd`]: the add-on's takes an object
/// without a spec.
pub fn http_scaled_object_crd() -> CustomResourceDefinition {
    let mut crd = HttpScaledObject::crd();
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut();
        if let Some(schema) = schema.and_then(|it| it.open_api_v3_schema.as_mut()) {
            schema.required = None;
        }
    }
    crd
}
