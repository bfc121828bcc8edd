//! KEDA's ScaledObject, with its triggers.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;
use wakegate_api::scaled_object::{MANAGED_BY, WAKEGATE};

use super::Id;

/// What matters of a ScaledObject.
#[derive(Clone, Debug)]
pub(crate) struct ScaledObject {
    pub(crate) id: Id,
    pub(crate) metadata: ObjectMeta,
    /// `Kind/name` of what it scales.
    pub(crate) workload: String,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) fallback_replicas: Option<i64>,
    pub(crate) polling_secs: i64,
    pub(crate) cooldown_secs: i64,
    pub(crate) min_replicas: i64,
}

/// One of its triggers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Trigger {
    #[serde(default)]
    pub(crate) r#type: String,
    /// Texts, as far as KEDA takes them; a file may have others, which are for KEDA to refuse.
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, Value>,
    #[serde(default, rename = "authenticationRef")]
    pub(crate) authentication: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    scale_target_ref: Target,
    #[serde(default)]
    triggers: Vec<Trigger>,
    #[serde(default)]
    fallback: Option<Value>,
    #[serde(default)]
    polling_interval: Option<i64>,
    #[serde(default)]
    cooldown_period: Option<i64>,
    #[serde(default)]
    min_replica_count: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
struct Target {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    name: String,
}

/// KEDA's, where nobody says.
const POLLING_SECS: i64 = 30;
pub(crate) const COOLDOWN_SECS: i64 = 300;

pub(super) fn read(id: &Id, written: Written) -> ScaledObject {
    let Written { metadata, spec } = written;
    let kind = spec.scale_target_ref.kind.filter(|kind| !kind.is_empty());
    let fallback = spec.fallback.as_ref();
    let fallback_replicas = fallback.and_then(|it| it.get("replicas")?.as_i64());
    ScaledObject {
        id: id.clone(),
        metadata,
        workload: format!(
            "{}/{}",
            kind.as_deref().unwrap_or("Deployment"),
            spec.scale_target_ref.name
        ),
        triggers: spec.triggers,
        fallback_replicas,
        polling_secs: spec.polling_interval.unwrap_or(POLLING_SECS),
        cooldown_secs: spec.cooldown_period.unwrap_or(COOLDOWN_SECS),
        min_replicas: spec.min_replica_count.unwrap_or(0),
    }
}

impl ScaledObject {
    /// Whether Wakegate wrote it.
    pub(crate) fn is_ours(&self) -> bool {
        let labels = self.metadata.labels.as_ref();
        let by = labels.and_then(|all| all.get(MANAGED_BY));
        by.is_some_and(|by| by == WAKEGATE)
    }

    /// The HTTPScaledObject that controls it: then the add-on's operator wrote it.
    pub(crate) fn controller(&self) -> Option<&str> {
        let owners = self.metadata.owner_references.as_ref()?.iter();
        let mut owners = owners.filter(|owner| owner.controller == Some(true));
        let owner = owners.find(|owner| owner.kind == "HTTPScaledObject")?;
        Some(&owner.name)
    }
}

impl Trigger {
    pub(crate) fn says(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_str)
    }
}
