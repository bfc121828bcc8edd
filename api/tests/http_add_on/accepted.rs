//! Specs that an API server took with the add-on's own CRDs, as it gave them back: Kubernetes 1.36, and the CRDs
//! of which the facts are. They were tried at the bounds of every field.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use wakegate_api::http_add_on::{HttpScaledObjectSpec, InterceptorRouteSpec};

#[derive(Deserialize)]
struct Accepted {
    kind: String,
    spec: Value,
}

#[test]
fn what_the_add_on_accepts_can_be_read_or_is_refused_with_its_field() {
    let (mut n_read, mut n_refused) = (0, 0);
    for line in include_str!("accepted.jsonl").lines() {
        let Accepted { kind, spec } = serde_json::from_str(line).expect(line);
        let reading = if kind == "InterceptorRoute" {
            typed::<InterceptorRouteSpec>(spec).read()
        } else {
            typed::<HttpScaledObjectSpec>(spec).read()
        };
        match reading {
            Ok(_) => n_read += 1,
            Err(error) => {
                assert!(error.field.starts_with("spec."), "{error}");
                n_refused += 1;
            }
        }
    }
    // What is refused are texts that are no durations, ports that are none, and numbers that KEDA has no use
    // for: the add-on's schema lets them through, and the add-on does nothing good with them.
    assert_eq!((n_read, n_refused), (113, 78));
}

/// The spec in its type, in which nothing of it gets lost.
#[track_caller]
fn typed<T: Serialize + DeserializeOwned>(spec: Value) -> T {
    let typed: T = serde_json::from_value(spec.clone()).unwrap();
    let again = serde_json::to_value(&typed).unwrap();
    assert_eq!(without_empty(again), without_empty(spec));
    typed
}

/// An empty list or map that a field has is as good as none.
fn without_empty(value: Value) -> Value {
    let full = |(name, value): (String, Value)| {
        let value = without_empty(value);
        let is_empty = value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty);
        (!is_empty).then_some((name, value))
    };
    match value {
        Value::Object(fields) => fields.into_iter().filter_map(full).collect(),
        Value::Array(elements) => elements.into_iter().map(without_empty).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
