//! What is read of a ListenerSet (Gateway API 1.5, GEP-1713): more listeners of a Gateway, by somebody else.

use gateway_api::apis::standard::gateways::GatewayListeners;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A ListenerSet, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ListenerSetObject {
    /// Name and namespace.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What it asks for.
    pub spec: ListenerSetSpec,
}

/// What a ListenerSet asks for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSetSpec {
    /// The Gateway.
    pub parent_ref: ListenerSetParent,
    /// Its listeners, which have the fields of a Gateway's.
    pub listeners: Vec<GatewayListeners>,
}

/// The Gateway of a ListenerSet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ListenerSetParent {
    /// Its name.
    pub name: String,
    /// Its namespace; none is the set's own.
    pub namespace: Option<String>,
}
