//! A ScaledObject as it is: whose, and what it says.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::super::{FIELD_MANAGER, MANAGED_BY};
use crate::object::Kind;

/// The add-on's operator as the API server knows who wrote a field: by the name of its program.
const OPERATOR: &str = "operator";

/// A ScaledObject as it is, as far as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observed {
    pub(super) uid: String,
    /// Whether we have made it: by its label and by who owns its fields.
    pub(super) is_ours: bool,
    /// Whether its trigger is as the add-on's operator wrote it last.
    pub(super) has_operators_trigger: bool,
    /// Whether it was deleted and waits for KEDA to let it go.
    pub(super) is_going: bool,
    pub(super) content: Value,
}

impl Observed {
    pub(super) fn new(object: DynamicObject) -> Self {
        let DynamicObject { metadata, data, .. } = object;
        let managers = metadata.managed_fields.iter().flatten();
        let is_applied = managers.into_iter().any(|entry| {
            entry.manager.as_deref() == Some(FIELD_MANAGER)
                && entry.operation.as_deref() == Some("Apply")
        });
        let managers = metadata.managed_fields.iter().flatten();
        let has_operators_trigger = managers.into_iter().any(|entry| {
            let fields = entry.fields_v1.as_ref();
            entry.manager.as_deref() == Some(OPERATOR)
                && fields.is_some_and(|it| it.0.pointer("/f:spec/f:triggers").is_some())
        });
        let labels = metadata.labels.as_ref();
        let label = labels.and_then(|labels| labels.get(MANAGED_BY.0));
        let is_labelled = label.is_some_and(|label| label == MANAGED_BY.1);
        let content = json!({
            "apiVersion": Kind::ScaledObject.api_version(),
            "kind": Kind::ScaledObject.as_str(),
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "labels": metadata.labels.unwrap_or_default(),
                "annotations": metadata.annotations.unwrap_or_default(),
                "ownerReferences": metadata.owner_references.unwrap_or_default(),
            },
            "spec": data.get("spec"),
        });
        Self {
            uid: metadata.uid.unwrap_or_default(),
            is_ours: is_applied && is_labelled,
            has_operators_trigger,
            is_going: metadata.deletion_timestamp.is_some(),
            content,
        }
    }
}
