//! The ways in which the API server differs from JSON Schema.

use schemars::Schema;
use serde_json::Value;

/// Makes a schema plain enough for the API server.
///
/// What may be missing is not `null` as well, so that `has()` in a rule says that there is a value; the API
/// server drops a `null` where none may be. It knows no unsigned formats, and would warn of each.
pub(crate) fn plain(schema: &mut Schema) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|it| it != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            fields.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(any)) = fields.get_mut("anyOf") {
        any.retain(|it| it.get("type").is_none_or(|it| it != "null"));
        if let [Value::Object(one)] = any.as_slice() {
            let one = one.clone();
            fields.remove("anyOf");
            // The field's own description counts before its type's.
            for (name, value) in one {
                fields.entry(name).or_insert(value);
            }
        }
    }
    if let Some(format) = fields.get_mut("format")
        && (format == "uint16" || format == "uint32")
    {
        *format = "int32".into();
    }
    if fields.contains_key("enum") {
        // The bounds of the Rust type say less.
        fields.remove("minimum");
        fields.remove("maximum");
    }
}
