//! The checked-in CRDs are what the Rust types say today. `just gen` sets `WAKEGATE_GEN` and rewrites them.

use std::{error::Error, fs, path::Path};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;
use wakegate_api::{
    WakePolicy,
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
