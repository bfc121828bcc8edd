//! The checked-in CRDs, and the pages on annotations and WakePolicies, are what the Rust types say today. `just gen` sets
//! `WAKEGATE_GEN` and rewrites them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{error::Error, fmt::Write as _, fs, path::Path};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;
use wakegate_api::{
    WakePolicy,
    annotations::{ANNOTATIONS, Annotation},
    http_add_on::{InterceptorRoute, http_scaled_object_crd},
};

fn generate(crd: &CustomResourceDefinition, source: &str) -> Result<String, Box<dyn Error>> {
    let mut value = serde_json::to_value(crd)?;
    make_whole(&mut value);
    // Whether other crates have serde_json keep the order of insertion or not.
    value.sort_all_objects();
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 120 };
    let yaml = serde_saphyr::to_string_with_options(&value, options)?;
    Ok(format!(
        "# Generated from api/src/{source}: change it there and run `just gen`.\n{yaml}"
    ))
}

/// Bounds are floats in `k8s-openapi`. The API server gives `1.0` back as `1`, which tools that compare the
/// two would call a change.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().map(|it| format!("{it}").parse::<i64>()) {
                *value = whole.map_or_else(|_| value.clone(), Value::from);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(make_whole),
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no Args")]
fn check(crd: &CustomResourceDefinition, source: &str, folder: &str) -> Result<(), Box<dyn Error>> {
    let name = crd.metadata.name.as_deref().unwrap_or_default();
    let target = Path::new("../deploy")
        .join(folder)
        .join(format!("{name}.yaml"));
    let generated = generate(crd, source)?;
    // Long rules are folded: they must come back as they were.
    let read: CustomResourceDefinition = serde_saphyr::from_str(&generated)?;
    assert_eq!(read, *crd);
    if std::env::var("WAKEGATE_GEN").is_ok() {
        fs::write(target, generated)?;
    } else {
        assert!(
            fs::read_to_string(&target).is_ok_and(|current| current == generated),
            "{} is stale: run `just gen`",
            target.display()
        );
    }
    Ok(())
}

#[test]
fn the_crds_are_current() {
    check(&WakePolicy::crd(), "wake_policy.rs", "base/crds").unwrap();
    let source = "http_add_on/interceptor_route.rs";
    check(&InterceptorRoute::crd(), source, "http-add-on").unwrap();
    let source = "http_add_on/http_scaled_object.rs";
    check(&http_scaled_object_crd(), source, "http-add-on").unwrap();
}

/// What a value of a field may be, in the words of whoever refuses another where there are any.
fn values(schema: &Value) -> String {
    let text = |value: &Value| match value.as_str() {
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{text}`"),
        None => value.to_string(),
    };
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    let is_whole = schema["type"] == "object" || schema["type"] == "array";
    if let (false, Some(message)) = (is_whole, messages(schema).next()) {
        let message = message.split_once("; ").map_or(message, |(_, rest)| rest);
        let message = message.strip_prefix("must be ").unwrap_or(message);
        return escaped(message);
    }
    let (min, max) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    match (schema["type"].as_str().unwrap_or_default(), min, max) {
        // The most that the type holds is no bound.
        ("integer", Some(min), Some(max)) if max < f64::from(i32::MAX) => format!("{min} to {max}"),
        ("integer", Some(min), _) => format!("a whole number from {min}"),
        ("boolean", ..) => "true, false".to_owned(),
        ("array", ..) => {
            let min = schema["minItems"].as_u64().unwrap_or(0);
            format!("{min} to {} of them", schema["maxItems"])
        }
        ("string", ..) => "a text".to_owned(),
        _ => String::new(),
    }
}

/// As it stands, in a table of Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '|' | '*' | '`' | '_') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// What the API server says of what it refuses.
fn messages(schema: &Value) -> impl Iterator<Item = &str> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let rules = rules.into_iter().flatten();
    rules.filter_map(|rule| rule["message"].as_str())
}

fn rows(schema: &Value, path: &str, page: &mut String) {
    let fields = schema["properties"].as_object();
    for (name, field) in fields.into_iter().flatten() {
        let is_list = field["type"] == "array";
        let path = format!("{path}{name}{}", if is_list { "[]" } else { "" });
        let required = schema["required"].as_array().into_iter().flatten();
        let must = required.into_iter().any(|it| it == name);
        let values = values(field);
        let text = field["description"].as_str().unwrap_or_default();
        let text = text.trim_end_matches('.').replace('\n', " ");
        let must = if must { "**needed.** " } else { "" };
        let inner = if is_list { &field["items"] } else { field };
        let mut text = format!("{must}{text}");
        if inner["type"] == "object" {
            let of_list = is_list.then(|| messages(field)).into_iter().flatten();
            for message in of_list.chain(messages(inner)) {
                write!(text, ". The rule: {message}").unwrap();
            }
        }
        writeln!(page, "| `{path}` | {values} | {text} |").unwrap();
        rows(inner, &format!("{path}."), page);
    }
}

fn with_part(page: &str, part: &str, fresh: &str) -> String {
    let begin = format!("<!-- {part}: written by `just gen` from ");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (source, rest) = rest.split_once(" -->\n").unwrap();
    let (_, after) = rest
        .split_once(&format!("<!-- end of {part} -->\n"))
        .unwrap();
    format!("{before}{begin}{source} -->\n\n{fresh}\n<!-- end of {part} -->\n{after}")
}

#[expect(clippy::disallowed_methods, reason = "a test has no Args")]
fn check_page(path: &str, part: &str, fresh: &str) {
    let page = fs::read_to_string(path).unwrap();
    let fresh = with_part(&page, part, fresh);
    if std::env::var("WAKEGATE_GEN").is_ok() {
        fs::write(path, fresh).unwrap();
    } else {
        assert_eq!(page, fresh, "{path} is stale: run `just gen`");
    }
}

#[test]
fn the_page_on_annotations_is_current() {
    let mut table =
        "| annotation | value | default | what it does | example |\n|---|---|---|---|---|\n"
            .to_owned();
    for annotation in ANNOTATIONS {
        let expected = annotation.expected().unwrap();
        let Annotation {
            name,
            default,
            text,
            example,
        } = annotation;
        writeln!(
            table,
            "| `{name}` | {expected} | {default} | {text} | `\"{example}\"` |"
        )
        .unwrap();
    }
    check_page("../docs/annotations.md", "annotations", &table);
}

#[test]
fn the_page_on_wake_policies_is_current() {
    let mut crd = serde_json::to_value(WakePolicy::crd()).unwrap();
    crd.sort_all_objects();
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let mut table = "| field | values | what it says |\n|---|---|---|\n".to_owned();
    rows(crd.pointer(spec).unwrap(), "", &mut table);
    check_page("../docs/wakepolicy.md", "fields", &table);
}
