//! Whatever stands in an object, there is a report: each value of each object of the fixtures is taken out, and replaced
//! by what nobody expects there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use serde_json::{Value, json};
use wakegate_cli::migrate::{self, objects::Objects};

/// What is of no use nearly everywhere.
fn odd() -> Vec<Value> {
    let long = "a".repeat(300);
    vec![
        Value::Null,
        json!(-1),
        json!(1.5e300),
        json!(""),
        json!("*"),
        json!("[::"),
        json!("$<value>.é/"),
        json!(long),
        json!([]),
        json!([null]),
        json!({}),
    ]
}

/// The paths of all values, as JSON pointers.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{name}"), all);
            }
        }
        Value::Array(elements) => {
            for (n, value) in elements.iter().enumerate() {
                pointers(value, &format!("{at}/{n}"), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn documents(fixture: &str) -> Vec<Value> {
    let path = format!("tests/fixtures/{fixture}/objects.yaml");
    serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn an_odd_value_anywhere_is_no_reason_to_say_nothing() {
    let mut n_reports = 0;
    for fixture in [
        "http-scaled-object",
        "interceptor-route",
        "cannot-work",
        "ingress",
        "environment",
    ] {
        let documents = documents(fixture);
        for (n, document) in documents.iter().enumerate() {
            let mut all = Vec::new();
            pointers(document, "", &mut all);
            for (at, pointer) in all.into_iter().enumerate() {
                // Three of them for each place, in turn.
                for odd in odd().into_iter().cycle().skip(at).take(3) {
                    let mut objects = if n % 2 == 0 {
                        Objects::of_files()
                    } else {
                        Objects::of_cluster(true)
                    };
                    for (other, document) in documents.iter().enumerate() {
                        let mut document = document.clone();
                        if other == n {
                            *document.pointer_mut(&pointer).unwrap() = odd.clone();
                        }
                        objects.add(document, None);
                    }
                    let report = migrate::report(&objects, "wakegate-scaler.wakegate:9090");
                    assert!(!report.to_string().is_empty());
                    assert!(!report.json().unwrap().is_empty());
                    n_reports += 1;
                }
            }
        }
    }
    assert!(n_reports > 1_000, "{n_reports}");
}
