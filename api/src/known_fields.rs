//! Which fields a kind has, by its schema: what the API server would drop without a word, a file's reader can
//! say.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use crate::annotations::value::nearest;

/// What every object has beside what its schema says.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The fields of a kind, to be made once for all its objects.
#[derive(Clone, Debug)]
pub struct KnownFields(Known);

/// A field that a kind does not have. It has no effect; the rest of the object counts all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownField {
    /// Its path, such as `spec.rules[0].host`.
    pub field: String,
    /// The field of that place whose name looks most like it.
    pub nearest: Option<String>,
}

#[derive(Clone, Debug)]
enum Known {
    /// These and no others.
    Fields(BTreeMap<String, Self>),
    /// A list or a map of such values.
    Each(Box<Self>),
    /// Whatever is there.
    Anything,
}

impl KnownFields {
    /// The fields of a kind in the version that it is stored in.
    ///
    /// ```
    /// # use kube::CustomResourceExt;
    /// # use serde_json::json;
    /// # use wakegate_api::{KnownFields, WakePolicy};
    /// let known = KnownFields::of(&WakePolicy::crd());
    /// let policy = json!({ "kind": "WakePolicy", "spec": { "hold": { "timeuot": "90s" } } });
    /// let unknown = known.unknown_in(&policy);
    /// assert_eq!(unknown[0].field, "spec.hold.timeuot");
    /// assert_eq!(unknown[0].to_string(), "no such field; did you mean timeout?");
    /// ```
    pub fn of(crd: &CustomResourceDefinition) -> Self {
        let stored = crd.spec.versions.iter().find(|version| version.storage);
        let schema = stored.and_then(|version| version.schema.as_ref());
        let schema = schema.and_then(|schema| schema.open_api_v3_schema.as_ref());
        let mut known = schema.map_or(Known::Anything, Known::of);
        if let Known::Fields(fields) = &mut known {
            let every = OF_EVERY_OBJECT.map(|name| (name.to_owned(), Known::Anything));
            fields.extend(every);
        }
        Self(known)
    }

    /// The fields of an object that its kind does not have, in the order of their paths.
    pub fn unknown_in(&self, object: &Value) -> Vec<UnknownField> {
        let mut unknown = Vec::new();
        self.0.look_at(object, "", &mut unknown);
        // Whether other crates have serde_json keep the order of insertion or not.
        unknown.sort();
        unknown
    }
}

impl Known {
    fn of(schema: &JSONSchemaProps) -> Self {
        if let Some(fields) = &schema.properties {
            let fields = fields.iter();
            return Self::Fields(
                fields
                    .map(|(name, field)| (name.clone(), Self::of(field)))
                    .collect(),
            );
        }
        if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
            return Self::Each(Box::new(Self::of(each)));
        }
        if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties {
            return Self::Each(Box::new(Self::of(each)));
        }
        Self::Anything
    }

    fn look_at(&self, value: &Value, path: &str, unknown: &mut Vec<UnknownField>) {
        match (self, value) {
            (Self::Fields(known), Value::Object(fields)) => {
                for (name, value) in fields {
                    let field = join(path, name);
                    if let Some(known) = known.get(name) {
                        known.look_at(value, &field, unknown);
                        continue;
                    }
                    let names: Vec<_> = known.keys().map(String::as_str).collect();
                    let nearest = nearest(name, &names).map(str::to_owned);
                    unknown.push(UnknownField { field, nearest });
                }
            }
            (Self::Each(known), Value::Object(fields)) => {
                for (name, value) in fields {
                    known.look_at(value, &join(path, name), unknown);
                }
            }
            (Self::Each(known), Value::Array(elements)) => {
                for (index, value) in elements.iter().enumerate() {
                    known.look_at(value, &format!("{path}[{index}]"), unknown);
                }
            }
            // What is of another type is refused by whoever reads it.
            (Self::Fields(_) | Self::Each(_) | Self::Anything, _) => {}
        }
    }
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.nearest {
            Some(name) => write!(f, "no such field; did you mean {name}?"),
            None => f.write_str("no such field: remove it"),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use serde_json::json;

    use super::*;
    use crate::{
        WakePolicy,
        http_add_on::{InterceptorRoute, http_scaled_object_crd},
    };

    #[track_caller]
    fn check(crd: &CustomResourceDefinition, object: &Value, expected: &[(&str, &str)]) {
        let unknown = KnownFields::of(crd).unknown_in(object);
        let unknown: Vec<_> = unknown
            .iter()
            .map(|it| (it.field.as_str(), it.nearest.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(unknown, expected);
    }

    #[test]
    fn what_a_kind_has_is_known() {
        let object = json!({
            "apiVersion": "http.keda.sh/v1beta1",
            "kind": "InterceptorRoute",
            "metadata": { "name": "a", "labels": { "any": "thing" } },
            "spec": {
                "rules": [{ "hosts": ["a"], "paths": [{ "value": "/" }] }],
                "coldStart": { "placeholder": { "response": { "headers": { "any": "thing" } } } },
            },
            "status": { "conditions": [{ "type": "Ready", "observedGeneration": 1 }] },
        });
        check(&InterceptorRoute::crd(), &object, &[]);
    }

    #[test]
    fn what_it_has_not_is_named_wherever_it_is() {
        let object = json!({
            "specs": {},
            "spec": {
                "rules": [{}, { "host": ["a"], "paths": [{ "value": "/", "type": "Exact" }] }],
                "coldStart": { "maxPendingRequest": 3 },
                "proxyMode": "Endpoint",
            },
        });
        let expected = [
            ("spec.coldStart.maxPendingRequest", "maxPendingRequests"),
            ("spec.proxyMode", "-"),
            ("spec.rules[1].host", "hosts"),
            ("spec.rules[1].paths[0].type", "-"),
            ("specs", "spec"),
        ];
        check(&InterceptorRoute::crd(), &object, &expected);
        let object = json!({ "spec": { "host": "a", "scaleTargetRef": { "deployment": "a" } } });
        let expected = [
            ("spec.host", "hosts"),
            ("spec.scaleTargetRef.deployment", "-"),
        ];
        check(&http_scaled_object_crd(), &object, &expected);
        let object = json!({ "spec": { "targetRefs": [{ "kinds": "Service" }] } });
        let expected = [("spec.targetRefs[0].kinds", "kind")];
        check(&WakePolicy::crd(), &object, &expected);
    }

    #[test]
    fn what_is_of_another_type_is_for_others_to_refuse() {
        let object = json!({ "spec": { "rules": "all", "target": ["a"], "timeouts": null } });
        check(&InterceptorRoute::crd(), &object, &[]);
    }
}
