//! KEDA's ScaledObject, as far as it tells what is scaled and whether it is paused.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A `keda.sh/v1alpha1` ScaledObject. Its triggers are KEDA's business.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ScaledObject {
    /// Name, namespace and the annotations that pause it.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What it scales.
    pub spec: ScaledObjectSpec,
}

/// What a ScaledObject scales.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaledObjectSpec {
    /// The workload, in the same namespace.
    pub scale_target_ref: ScaleTargetRef,
}

/// The workload of a ScaledObject.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ScaleTargetRef {
    /// A Deployment when it is not named.
    #[serde(default)]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
}

/// The annotation that pauses KEDA at whatever number of replicas there is.
pub const PAUSED: &str = "autoscaling.keda.sh/paused";
const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";

/// The annotations by which users stop KEDA, or a part of it.
pub const PAUSING: [&str; 5] = [
    PAUSED,
    PAUSED_REPLICAS,
    "autoscaling.keda.sh/paused-scale-in",
    "autoscaling.keda.sh/paused-scale-out",
    "autoscaling.keda.sh/force-activation",
];

/// The label that says who wrote an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Its value on what Wakegate wrote.
pub const WAKEGATE: &str = "wakegate";

impl ScaledObject {
    /// Kind and name of the workload.
    pub fn target(&self) -> (&str, &str) {
        let ScaleTargetRef { kind, name } = &self.spec.scale_target_ref;
        (
            kind.as_deref()
                .filter(|kind| !kind.is_empty())
                .unwrap_or("Deployment"),
            name,
        )
    }

    /// Whether Wakegate wrote it.
    pub fn is_ours(&self) -> bool {
        let labels = self.metadata.labels.as_ref();
        let by = labels.and_then(|labels| labels.get(MANAGED_BY));
        by.is_some_and(|by| by == WAKEGATE)
    }

    /// Whether KEDA keeps a workload that has no replica now at none.
    pub fn is_paused_at_zero(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.is_some_and(pauses_at_zero)
    }
}

/// Whether a ScaledObject with these annotations keeps a workload that has no replica now at none.
pub fn pauses_at_zero(annotations: &BTreeMap<String, String>) -> bool {
    // With a number of replicas KEDA goes there first, whatever the other annotation says.
    if let Some(replicas) = annotations.get(PAUSED_REPLICAS) {
        return replicas.parse() == Ok(0);
    }
    // KEDA takes what is no bool in Go's words for a yes.
    let is_no = |value: &str| matches!(value, "0" | "f" | "F" | "false" | "False" | "FALSE");
    annotations.get(PAUSED).is_some_and(|value| !is_no(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_paused(annotations: &[(&str, &str)]) -> bool {
        let owned = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut object = ScaledObject::default();
        object.metadata.annotations = Some(owned.collect());
        object.is_paused_at_zero()
    }

    #[test]
    fn pausing_is_what_keda_understands_by_it() {
        assert!(!is_paused(&[]));
        assert!(is_paused(&[(PAUSED, "true")]));
        assert!(is_paused(&[(PAUSED, "yes")]));
        assert!(!is_paused(&[(PAUSED, "false")]));
        assert!(is_paused(&[(PAUSED_REPLICAS, "0")]));
        assert!(!is_paused(&[(PAUSED_REPLICAS, "2")]));
        assert!(!is_paused(&[(PAUSED, "true"), (PAUSED_REPLICAS, "2")]));
    }

    #[test]
    fn a_target_without_kind_is_a_deployment() {
        let mut object = ScaledObject::default();
        object.spec.scale_target_ref.name = "web".to_owned();
        assert_eq!(object.target(), ("Deployment", "web"));
        object.spec.scale_target_ref.kind = Some("Rollout".to_owned());
        assert_eq!(object.target(), ("Rollout", "web"));
    }
}
