//! What brings the filter into an Envoy.
//!
//! An attachment is recognised by what it says to the filter: its configuration has to name the cluster of the control
//! plane (`control_plane.cluster`) or that of the scaler, whoever wrote it and whatever it is called. One without a
//! configuration is recognised by the root id `wakegate` or a module called `wakegate-filter` or `wakegate_filter`.

use std::borrow::Cow;

use serde_json::Value;

use super::objects::{ENVOY_FILTER, EXTENSION_POLICY, Object, Objects, WASM_PLUGIN, text_at};

/// The root id of the filter.
const ROOT_ID: &str = "wakegate";

/// How modules of ours are called.
const MODULES: [&str; 2] = ["wakegate-filter", "wakegate_filter"];

/// By which means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Envoy Gateway's.
    ExtensionPolicy,
    /// Istio's.
    WasmPlugin,
    /// Istio's.
    EnvoyFilter,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Attachment<'a> {
    pub(crate) by: By,
    pub(crate) object: &'a Object,
    /// The part of the object.
    pub(crate) field: String,
    /// That part.
    pub(crate) value: &'a Value,
    /// What the filter is told; `None` where that is nothing it could use.
    pub(crate) config: Option<Value>,
}

/// All of them, in the order of their objects.
pub(crate) fn attachments(objects: &Objects) -> Vec<Attachment<'_>> {
    let mut found = Vec::new();
    for object in objects.all(EXTENSION_POLICY) {
        for (at, value) in object.list("/spec/wasm").iter().enumerate() {
            let field = format!("spec.wasm[{at}]");
            found.extend(Attachment::of(By::ExtensionPolicy, object, field, value));
        }
    }
    for object in objects.all(WASM_PLUGIN) {
        if let Some(value) = object.at("/spec") {
            found.extend(Attachment::of(By::WasmPlugin, object, "spec".into(), value));
        }
    }
    for object in objects.all(ENVOY_FILTER) {
        for (at, value) in object.list("/spec/configPatches").iter().enumerate() {
            let field = format!("spec.configPatches[{at}]");
            found.extend(Attachment::of(By::EnvoyFilter, object, field, value));
        }
    }
    found
}

impl<'a> Attachment<'a> {
    fn of(by: By, object: &'a Object, field: String, value: &'a Value) -> Option<Self> {
        let config = config_in(value);
        let is_ours = config.is_some() || is_named(value);
        is_ours.then_some(Self {
            by,
            object,
            field,
            value,
            config,
        })
    }

    /// A field of the part.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.field)
    }

    /// The cluster that the filter is told to ask, of `control_plane` or `scaler`.
    pub(crate) fn cluster(&self, of: &str) -> Option<&str> {
        text_at(self.config.as_ref()?, &format!("/{of}/cluster"))
    }

    /// The labels that choose pods; `None` where it does not go by labels.
    pub(crate) fn selector(&self) -> Option<&'a serde_json::Map<String, Value>> {
        let pointer = match self.by {
            By::ExtensionPolicy => return None,
            By::WasmPlugin => "/spec/selector/matchLabels",
            By::EnvoyFilter => "/spec/workloadSelector/labels",
        };
        self.object.at(pointer)?.as_object()
    }

    /// The objects that it names as its targets.
    pub(crate) fn target_refs(&self) -> Vec<&'a Value> {
        target_refs(self.object)
    }
}

/// Both ways of naming targets.
pub(crate) fn target_refs(object: &Object) -> Vec<&Value> {
    let one = object.at("/spec/targetRef").into_iter();
    one.chain(object.list("/spec/targetRefs")).collect()
}

/// The filter's configuration, wherever below it stands, as JSON or as JSON in a string.
fn config_in(value: &Value) -> Option<Value> {
    let inner = if let Some(text) = value.as_str() {
        let inner: Value = serde_json::from_str(text).ok()?;
        // A string in a string is nobody's way to write it.
        Cow::Owned(inner.is_object().then_some(inner)?)
    } else {
        Cow::Borrowed(value)
    };
    let names = |part| inner.pointer(part).is_some_and(Value::is_string);
    if names("/control_plane/cluster") || names("/scaler/cluster") {
        return Some(inner.into_owned());
    }
    match inner.as_ref() {
        Value::Object(fields) => fields.values().find_map(config_in),
        Value::Array(elements) => elements.iter().find_map(config_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether its root id or its module is called as ours are.
fn is_named(value: &Value) -> bool {
    let is_module = |text: &str| {
        let name = text.rsplit('/').next().unwrap_or_default();
        MODULES.iter().any(|module| name.starts_with(module))
    };
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| match value.as_str() {
            Some(text) => match key.as_str() {
                "rootID" | "root_id" | "pluginName" => text == ROOT_ID,
                "url" | "uri" | "filename" => is_module(text),
                _ => false,
            },
            None => is_named(value),
        }),
        Value::Array(elements) => elements.iter().any(is_named),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_is_found_in_every_form() {
        let config = json!({ "control_plane": { "cluster": "a" }, "scaler": { "cluster": "b" } });
        let forms = [
            json!({ "config": config }),
            json!({ "pluginConfig": config }),
            json!({ "patch": { "value": { "configuration": { "value": config.to_string() } } } }),
            json!([{ "configuration": { "value": config } }]),
        ];
        for form in forms {
            assert_eq!(config_in(&form).unwrap(), config, "{form}");
        }
        let others = [
            json!({ "config": { "control_cluster": "a" } }),
            json!({ "config": "cluster" }),
            json!({ "config": "\"cluster\"" }),
        ];
        for other in others {
            assert!(config_in(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn without_one_names_tell() {
        assert!(is_named(&json!({ "rootID": "wakegate" })));
        let image =
            json!({ "code": { "image": { "url": "oci://registry.test/wakegate-filter:1" } } });
        assert!(is_named(&image));
        assert!(!is_named(
            &json!({ "url": "oci://registry.test/filter:1", "name": "wakegate" })
        ));
    }
}
