//! What is read of Envoy Gateway's kinds: where its Envoys send requests.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// An `EnvoyProxy` or a `BackendTrafficPolicy`, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct RoutingObject {
    /// Name and namespace.
    #[serde(default)]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: RoutingSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RoutingSpec {
    routing_type: Option<String>,
    merge_type: Option<String>,
    target_ref: Option<PolicyTarget>,
    target_refs: Vec<PolicyTarget>,
    target_selectors: Vec<PolicyTarget>,
}

/// What a policy is for: an object of its namespace, or some of a kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PolicyTarget {
    /// Its kind.
    pub kind: String,
    /// Its name; of a selector, none.
    pub name: Option<String>,
    namespaces: Option<SelectedNamespaces>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct SelectedNamespaces {
    from: Option<String>,
}

impl RoutingObject {
    /// `Service` or `Endpoint`, where it says.
    pub fn routing_type(&self) -> Option<&str> {
        self.spec.routing_type.as_deref()
    }

    /// Whether what it does not say is left to the policy above it. Otherwise it is said by none.
    pub fn merges(&self) -> bool {
        self.spec.merge_type.is_some()
    }

    /// What a policy is for. A selector counts as one of all objects of its kind: which of them it selects is not read.
    pub fn targets(&self) -> impl Iterator<Item = &PolicyTarget> {
        let spec = &self.spec;
        let named = spec.target_ref.iter().chain(&spec.target_refs);
        named.chain(&spec.target_selectors)
    }
}

impl PolicyTarget {
    /// Whether it may be of another namespace than the policy's.
    pub fn is_anywhere(&self) -> bool {
        let namespaces = self.namespaces.as_ref();
        let from = namespaces.and_then(|it| it.from.as_deref());
        self.name.is_none() && from.is_some_and(|from| from != "Same")
    }
}
