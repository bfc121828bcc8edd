//! An object as it comes from the API server. What is read of no kind is passed over while it is parsed: who wrote
//! which field is half of what is sent, and an object that is kept as it comes is taken apart twice.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::{
    Resource,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The one kind whose status is read.
const WITH_STATUS: &str = "GatewayClass";

/// An object of any kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    pub(super) metadata: ObjectMeta,
    /// All but the metadata, and what every object says of its kind.
    pub(super) content: Map<String, Value>,
}

/// What is read of an object's metadata, here and by the watch.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl<'de> Deserialize<'de> for Received {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Received;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Received, A::Error> {
        let mut received = Received::default();
        let mut kind = None::<String>;
        while let Some(field) = fields.next_key::<String>()? {
            // Of a kind that is built in, an object of a list does not say its kind: then all of it stays.
            let is_unread = || kind.as_ref().is_some_and(|kind| kind != WITH_STATUS);
            match field.as_str() {
                "apiVersion" => drop(fields.next_value::<IgnoredAny>()?),
                "kind" => kind = Some(fields.next_value()?),
                "metadata" => received.metadata = fields.next_value::<Metadata>()?.into(),
                "status" if is_unread() => drop(fields.next_value::<IgnoredAny>()?),
                _ => {
                    let value = fields.next_value()?;
                    received.content.insert(field, value);
                }
            }
        }
        Ok(received)
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        let Metadata {
            name,
            namespace,
            uid,
            resource_version,
            generation,
            creation_timestamp,
            deletion_timestamp,
            annotations,
            labels,
            owner_references,
        } = metadata;
        Self {
            name,
            namespace,
            uid,
            resource_version,
            generation,
            creation_timestamp,
            deletion_timestamp,
            annotations,
            labels,
            owner_references,
            ..Self::default()
        }
    }
}

impl Resource for Received {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    use super::*;

    fn object(kind: &str) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": kind,
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "resourceVersion": "7",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"app": "web"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "1"}],
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
                "finalizers": null,
            },
            "spec": {"hostnames": ["shop.test"]},
            "status": {"conditions": []},
        })
    }

    #[test]
    fn what_is_read_comes_through_a_list_and_a_watch() {
        let list = json!({
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": "9"},
            "items": [object("HTTPRoute")],
        });
        let list: ObjectList<Received> = serde_json::from_str(&list.to_string()).unwrap();
        let event = json!({"type": "ADDED", "object": object("HTTPRoute")});
        let event: WatchEvent<Received> = serde_json::from_str(&event.to_string()).unwrap();
        let WatchEvent::Added(watched) = event else {
            panic!("{event:?}")
        };
        for received in [&list.items[0], &watched] {
            let whole: ObjectMeta =
                serde_json::from_value(object("HTTPRoute")["metadata"].clone()).unwrap();
            let read = ObjectMeta {
                managed_fields: None,
                ..whole
            };
            assert_eq!(received.metadata, read);
            let content = Value::Object(received.content.clone());
            assert_eq!(content, json!({"spec": {"hostnames": ["shop.test"]}}));
        }
    }

    #[test]
    fn a_status_stays_where_it_is_read_or_the_kind_is_not_known() {
        let has_status = |object: Value| {
            let received: Received = serde_json::from_value(object).unwrap();
            received.content.contains_key("status")
        };
        assert!(has_status(object("GatewayClass")));
        assert!(!has_status(object("HTTPRoute")));
        let mut built_in = object("");
        built_in.as_object_mut().unwrap().remove("kind");
        assert!(has_status(built_in));
    }
}
