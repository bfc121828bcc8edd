//! Routes of which it is only looked at whether they name the interceptor: each kind has ways of its own to say what is
//! for whom.

use serde_json::Value;

use super::{Id, Place};

/// A route, and what it names.
#[derive(Clone, Debug)]
pub(crate) struct OtherRoute {
    pub(crate) id: Id,
    /// Each with its field.
    pub(crate) named: Vec<(String, Place)>,
}

/// Where Services are named: Istio has `host`, Contour `name`.
const NAMES: [&str; 2] = ["host", "name"];

pub(super) fn read(id: &Id, value: &Value) -> OtherRoute {
    let mut named = Vec::new();
    if let Some(spec) = value.get("spec") {
        look_at(spec, "spec", &id.namespace, &mut named);
    }
    // Whether other crates have serde_json keep the order of insertion or not.
    named.sort();
    OtherRoute {
        id: id.clone(),
        named,
    }
}

fn look_at(value: &Value, path: &str, namespace: &str, named: &mut Vec<(String, Place)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match value.as_str() {
                    Some(text) if NAMES.contains(&name.as_str()) => {
                        named.push((path, place(text, namespace)));
                    }
                    Some(_) | None => look_at(value, &path, namespace, named),
                }
            }
        }
        Value::Array(elements) => {
            for (at, value) in elements.iter().enumerate() {
                look_at(value, &format!("{path}[{at}]"), namespace, named);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A short name is one of the same namespace.
fn place(host: &str, namespace: &str) -> Place {
    let mut labels = host.split('.');
    let name = labels.next().unwrap_or_default();
    let namespace = labels.next().unwrap_or(namespace);
    (namespace.to_owned(), name.to_owned())
}
