//! What a user writes: small objects with the usual fields, to be changed where a test needs it.

mod add_on;
mod app;
mod route;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

pub use add_on::{config_map, http_scaled_object, interceptor_route, scaled_object};
pub use app::{APP_PORT, SERVICE_PORT, deployment, service, stateful_set};
pub use route::{
    gateway, gateway_class, grpc_route, http_route, ingress, reference_grant, wake_policy,
};

/// One object, as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    api_version: String,
    kind: String,
    name: String,
    annotations: BTreeMap<String, String>,
    /// Beside name and annotations.
    metadata: Map<String, Value>,
    /// What the next is called: `spec`, or `data`.
    body: &'static str,
    spec: Value,
}

impl Object {
    /// An object with a name and a spec.
    pub fn new(api_version: &str, kind: &str, name: &str, spec: Value) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            annotations: BTreeMap::new(),
            metadata: Map::new(),
            body: "spec",
            spec,
        }
    }

    /// Adds annotations, named without the prefix `wakegate.dev/`.
    #[must_use]
    pub fn annotated(self, annotations: &[(&str, &str)]) -> Self {
        annotations.iter().fold(self, |object, (name, value)| {
            object.annotated_as(&format!("wakegate.dev/{name}"), value)
        })
    }

    /// Adds one annotation by its whole name.
    #[must_use]
    pub fn annotated_as(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets one field of the metadata, such as `labels`.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.metadata.insert(field.to_owned(), value);
        self
    }

    /// Sets one field of the spec by its JSON pointer, such as `/ports/0/name`. Objects that are missing on the
    /// way are made.
    pub fn set(mut self, pointer: &str, value: Value) -> Result<Self> {
        *place(&mut self.spec, pointer)? = value;
        Ok(self)
    }

    /// One field of the spec by its JSON pointer.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.spec.pointer(pointer)
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn to_json(&self) -> Value {
        let Self {
            api_version,
            kind,
            name,
            annotations,
            metadata,
            body,
            spec,
        } = self;
        let mut metadata = metadata.clone();
        metadata.insert("name".to_owned(), json!(name));
        metadata.insert("annotations".to_owned(), json!(annotations));
        let body = *body;
        json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, body: spec })
    }
}

/// Several as one list, for one call of kubectl.
pub fn list(objects: &[Object]) -> String {
    let items: Vec<_> = objects.iter().map(Object::to_json).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

fn place<'a>(root: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    let mut place = root;
    for part in pointer.split('/').skip(1) {
        if place.is_null() {
            *place = json!({});
        }
        place = match place {
            Value::Object(fields) => fields.entry(part).or_insert(Value::Null),
            Value::Array(elements) => {
                let element = part.parse().ok().and_then(|at: usize| elements.get_mut(at));
                element.with_context(|| format!("{pointer}: no element {part}"))?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                bail!("{pointer}: nothing can be below {place}")
            }
        };
    }
    Ok(place)
}
