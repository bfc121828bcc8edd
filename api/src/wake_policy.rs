//! WakePolicy: what is held, for how long, and how it scales, as an object of its own.
//!
//! An inherited policy in the words of GEP-713, with atomic defaults: of the policies that reach a backend
//! the most specific counts whole (Service, then route, then `sectionName`). What it does not say is for
//! the annotations, then for the defaults.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

mod rules;
mod schema;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use schemars::transform::RecursiveTransform;
use serde::{Deserialize, Serialize};

use self::schema::{DurationWithin, NumberWithin};
use crate::{bounds, plain_schema};

pub use self::rules::{FieldError, MAX_TARGETS, NoWakeRequest, NoWakeRule, Rules, ThawRules};
pub use self::status::{AncestorRef, PolicyAncestor, WakePolicyStatus};

/// A name in Kubernetes: a DNS subdomain.
const MAX_NAME: usize = 253;

/// What a WakePolicy asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "wakegate.dev",
    version = "v1alpha1",
    kind = "WakePolicy",
    plural = "wakepolicies",
    shortname = "wkp",
    category = "wakegate",
    namespaced,
    doc = "What is held, for how long, and how it scales, for the objects that it targets.",
    status = "WakePolicyStatus",
    printcolumn = r#"{"name":"Kind","type":"string","jsonPath":".spec.targetRefs[0].kind"}"#,
    printcolumn = r#"{"name":"Target","type":"string","jsonPath":".spec.targetRefs[0].name"}"#,
    printcolumn = r#"{"name":"Hold","type":"string","jsonPath":".spec.hold.timeout"}"#,
    printcolumn = r#"{"name":"Accepted","type":"string","jsonPath":".status.ancestors[0].conditions[?(@.type==\"Accepted\")].status"}"#,
    printcolumn = r#"{"name":"Programmed","type":"string","jsonPath":".status.ancestors[0].conditions[?(@.type==\"Programmed\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = RecursiveTransform(plain_schema::plain))]
#[x_kube(validation = Rule::new(
    "!has(self.scale) || self.targetRefs.all(it, it.kind == 'Service' && !has(it.sectionName))"
).message(
    "scale asks for targets that are all Services without sectionName: give the others a policy of their own"
))]
pub struct WakePolicySpec {
    /// What it is about, all in its own namespace.
    #[schemars(length(min = 1, max = MAX_TARGETS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[x_kube(validation = Rule::new(
        "self.all(one, self.exists_one(it, it.group == one.group && it.kind == one.kind \
        && it.name == one.name && has(it.sectionName) == has(one.sectionName) \
        && (!has(it.sectionName) || it.sectionName == one.sectionName)))"
    ).message("no target may be there twice: remove one of the two"))]
    pub target_refs: Vec<TargetRef>,
    /// How requests are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Requests that wake nothing and keep nothing awake, beside the health checks of kubelets and load balancers. The
    /// first that matches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::MAX_NO_WAKE))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub no_wake: Vec<NoWake>,
    /// How held requests are let go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thaw: Option<Thaw>,
    /// How the workload scales; only where every target is a Service without `sectionName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

/// One thing that a policy is about.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema,
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "self.group == (self.kind == 'Service' ? '' : self.kind == 'Ingress' \
        ? 'networking.k8s.io' : 'gateway.networking.k8s.io')"
    ).message(
        "a Service has an empty group, an Ingress networking.k8s.io, HTTPRoute and GRPCRoute gateway.networking.k8s.io"
    ),
    validation = Rule::new("self.kind != 'Ingress' || !has(self.sectionName)")
        .message("an Ingress has no sections: leave out sectionName")
)]
pub struct TargetRef {
    /// `gateway.networking.k8s.io`, `networking.k8s.io`, or empty for a Service.
    #[serde(default)]
    #[schemars(extend("enum" = ["", "gateway.networking.k8s.io", "networking.k8s.io"]))]
    pub group: String,
    /// `HTTPRoute`, `GRPCRoute`, `Ingress` or `Service`.
    #[schemars(extend("enum" = ["GRPCRoute", "HTTPRoute", "Ingress", "Service"]))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = MAX_NAME))]
    pub name: String,
    /// The name of one rule of a route, or of one port of a Service; not for an Ingress. The whole object where it is
    /// not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = schema::NAME))]
    pub section_name: Option<String>,
}

/// How requests are held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// A held request is answered with 504 after this; `60s` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = DurationWithin(bounds::HOLD_TIMEOUT))]
    pub timeout: Option<String>,
    /// Requests held at once, per route and worker; 1000 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *bounds::MAX_HELD.start(), max = *bounds::MAX_HELD.end()))]
    pub max_held: Option<u32>,
    /// The status of the answer when there is no room to hold; 503 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [429, 503]))]
    pub overflow_status: Option<u16>,
    /// Whether a browser that waited in vain gets a page that tries again; off where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_page: Option<bool>,
}

/// Requests that wake nothing: one of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.pathPrefix), has(self.userAgentPrefix), has(self.method), has(self.header)].exists_one(it, it)"
).message(
    "each entry has exactly one of pathPrefix, userAgentPrefix, method and header: write an entry for each"
))]
pub struct NoWake {
    /// What their path begins with, by whole segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("self.startsWith('/')").message("must begin with /, such as /healthz"))]
    pub path_prefix: Option<String>,
    /// What their user agent begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub user_agent_prefix: Option<String>,
    /// Their method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z]+$')").message("must be upper case letters, such as HEAD"))]
    pub method: Option<String>,
    /// A header of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<NoWakeHeader>,
    /// The status of the answer while the backend is asleep; 200 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        range(min = *bounds::NO_WAKE_STATUS.start(), max = *bounds::NO_WAKE_STATUS.end()),
        extend("default" = bounds::DEFAULT_NO_WAKE_STATUS)
    )]
    pub status: Option<u16>,
}

/// A header of requests that wake nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoWakeHeader {
    /// Its name.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new(schema::IS_TOKEN)
        .message("must be the name of a header: letters, digits and !#$%&'*+-.^_`|~, such as x-probe"))]
    pub name: String,
    /// Its whole value; any where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
}

/// How held requests are let go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Thaw {
    /// Requests under way for each ready endpoint while held ones go on; no such bound where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = i32::MAX))]
    pub max_in_flight_per_endpoint: Option<u32>,
    /// Whether Envoy's own way to the backend is tried first; on where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
}

/// How the workload scales.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas"
).message("maxReplicas must be at least minReplicas: raise the one or lower the other"))]
pub struct Scale {
    /// Replicas that always stay; 0 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = bounds::MOST_REPLICAS))]
    pub min_replicas: Option<u32>,
    /// The most replicas; 100 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = bounds::MOST_REPLICAS))]
    pub max_replicas: Option<u32>,
    /// How long without demand before zero; `300s` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = DurationWithin(bounds::COOLDOWN))]
    pub cooldown: Option<String>,
    /// The same, after the ScaledObject was made; `cooldown` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = DurationWithin(bounds::COOLDOWN))]
    pub initial_cooldown: Option<String>,
    /// Requests at once for each replica; 100 where neither this nor `targetRate` is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = NumberWithin(bounds::TARGET))]
    pub target_concurrency: Option<f64>,
    /// Requests per second for each replica; no such target where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = NumberWithin(bounds::TARGET))]
    pub target_rate: Option<f64>,
    /// What the rate is averaged over; `60s` where it is not said. The scaler remembers 10 min, and takes more for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = DurationWithin(bounds::RATE_WINDOW))]
    pub rate_window: Option<String>,
    /// Whether nothing wakes it: 503 at once while it is at zero; off where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// `Managed`, and so where it is not said: the control plane writes the ScaledObject. `External`: someone else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_object: Option<ScaledObjectBy>,
    /// What is scaled; the one Deployment or StatefulSet whose pods the Service selects where it is not said.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetWorkload {
    /// `apps/v1` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 317),
        regex(pattern = schema::API_VERSION),
        extend("default" = "apps/v1")
    )]
    pub api_version: Option<String>,
    /// `Deployment`, `StatefulSet` or another kind with a `scale` subresource.
    #[schemars(length(max = 63), regex(pattern = schema::KIND))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = schema::NAME))]
    pub name: String,
}

#[cfg(test)]
mod tests;
