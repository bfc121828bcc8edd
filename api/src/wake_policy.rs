//! WakePolicy: what is held, for how long, and how it scales, as an object of its own.
//!
//! An inherited policy in the words of GEP-713, with atomic defaults: of the policies that reach a backend
//! the most specific counts whole (Service, then route, then `sectionName`). What it does not say is for
//! the annotations, then for the defaults.

mod rules;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::rules::{FieldError, MAX_TARGETS, NoWakeRequest, NoWakeRule, Rules, ThawRules};

/// What a WakePolicy asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "wakegate.dev",
    version = "v1alpha1",
    kind = "WakePolicy",
    plural = "wakepolicies",
    shortname = "wkp",
    namespaced,
    status = "WakePolicyStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct WakePolicySpec {
    /// What it is about, all in its own namespace.
    pub target_refs: Vec<TargetRef>,
    /// How requests are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Requests that wake nothing, beside the health checks of kubelets and load balancers. The first that
    /// matches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_wake: Vec<NoWake>,
    /// How held requests are let go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thaw: Option<Thaw>,
    /// How the workload scales; only where every target is a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

/// One thing that a policy is about.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    /// `gateway.networking.k8s.io`, `networking.k8s.io`, or empty for a Service.
    #[serde(default)]
    pub group: String,
    /// `HTTPRoute`, `GRPCRoute`, `Ingress` or `Service`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The name of one rule of a route, or of one port of a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// How requests are held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The longest that a request is held, as Go writes durations: `90s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Requests held at once, per route and worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_held: Option<u32>,
    /// The status of the answer when there is no room to hold: 503 or 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow_status: Option<u16>,
    /// Answer a browser that waited in vain with a page that tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_page: Option<bool>,
}

/// Requests that wake nothing: one of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoWake {
    /// What their path begins with, by whole segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// What their user agent begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent_prefix: Option<String>,
    /// Their method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A header of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<NoWakeHeader>,
    /// The status of the answer while the backend is asleep; 200 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// A header of requests that wake nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoWakeHeader {
    /// Its name.
    pub name: String,
    /// Its whole value; any where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// How held requests are let go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Thaw {
    /// Requests under way for each ready endpoint while held ones go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight_per_endpoint: Option<u32>,
    /// Whether Envoy's own way to the backend is tried first; on where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
}

/// How the workload scales.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scale {
    /// Replicas that always stay; 0 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<u32>,
    /// The most replicas; 100 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u32>,
    /// How long without demand before zero; `300s` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<String>,
    /// The same, after the ScaledObject was made; `cooldown` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_cooldown: Option<String>,
    /// Requests at once for each replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_concurrency: Option<f64>,
    /// Requests per second for each replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_rate: Option<f64>,
    /// What the rate is averaged over; `60s` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_window: Option<String>,
    /// Nothing wakes it, nothing puts it to sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// `Managed`: the control plane writes the ScaledObject. `External`: someone else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_object: Option<ScaledObjectBy>,
    /// What is scaled; the one workload behind the Service where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetWorkload>,
}

/// Who writes the ScaledObject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScaledObjectBy {
    /// The control plane.
    #[default]
    Managed,
    /// Someone else.
    External,
}

/// What is scaled, in the policy's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetWorkload {
    /// `apps/v1` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `Deployment`, `StatefulSet` or another kind with a `scale` subresource.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What became of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WakePolicyStatus {
    /// For each target, at most 16.
    #[serde(default)]
    pub ancestors: Vec<PolicyAncestor>,
}

/// What became of a policy for one target, as GEP-713 has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAncestor {
    /// The target.
    pub ancestor_ref: AncestorRef,
    /// Who says so.
    pub controller_name: String,
    /// `Accepted`, `ResolvedRefs`, `Programmed`.
    pub conditions: Vec<Condition>,
}

/// The target of a policy, as its status names it.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct AncestorRef {
    /// Its group; empty for a Service.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// One rule or port of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}
