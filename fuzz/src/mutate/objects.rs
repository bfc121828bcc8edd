//! Changes of documents of YAML or JSON.

use serde_json::{Map, Value, json};

use super::word;
use crate::chance::Chance;

/// Changes one node of one document; none when there is no document.
pub(super) fn mutate(input: &[u8], other: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let mut documents = documents(input);
    let others = self::documents(other);
    let at = chance.below(documents.len());
    match chance.below(10) {
        0 => documents.extend(chance.one(&others).cloned()),
        1 if documents.len() > 1 => drop(documents.remove(at)),
        _ => {
            let other = chance.one(&others).cloned().unwrap_or_default();
            change(documents.get_mut(at)?, &other, chance);
        }
    }
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    Some(texts.join("\n---\n").into_bytes())
}

fn documents(input: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(input);
    let documents = text.split("\n---").filter_map(|text| {
        let value = serde_saphyr::from_str::<Value>(text).ok()?;
        (!value.is_null()).then_some(value)
    });
    documents.collect()
}

/// Goes down until chance has it that this is the node.
fn change(node: &mut Value, other: &Value, chance: &mut Chance) {
    let is_inner = match node {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_inner && !chance.is_rare(6) {
        let n_children = match &*node {
            Value::Object(fields) => fields.len(),
            Value::Array(items) => items.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        };
        let at = chance.below(n_children);
        let (child, other) = match node {
            Value::Object(fields) => {
                let Some((name, child)) = fields.iter_mut().nth(at) else {
                    return;
                };
                (Some(child), other.get(name).cloned())
            }
            Value::Array(items) => (items.get_mut(at), other.get(at).cloned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (None, None),
        };
        if let Some(child) = child {
            change(child, &other.unwrap_or_default(), chance);
        }
        return;
    }
    match node {
        Value::Object(fields) => change_fields(fields, other, chance),
        Value::Array(items) if chance.is_rare(2) => {
            let again = items.first().cloned().unwrap_or_default();
            items.resize(chance.below(20), again);
        }
        Value::String(text) if chance.is_rare(2) => {
            let bytes = super::bytes(text.as_bytes(), b"", chance);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            *node = leaf(other, chance);
        }
    }
}

fn change_fields(fields: &mut Map<String, Value>, other: &Value, chance: &mut Chance) {
    let name = fields.keys().nth(chance.below(fields.len())).cloned();
    match chance.below(4) {
        0 => {
            if let Some(name) = name {
                fields.remove(&name);
            }
        }
        1 => {
            let (name, value) = (word(chance), leaf(other, chance));
            fields.insert(name, value);
        }
        2 => fields.extend(other.as_object().cloned().unwrap_or_default()),
        _ => {
            if let Some(name) = name {
                let value = leaf(other, chance);
                fields.insert(name, value);
            }
        }
    }
}

fn leaf(other: &Value, chance: &mut Chance) -> Value {
    match chance.below(9) {
        0 => Value::Null,
        1 => json!(chance.is_rare(2)),
        2 => json!(chance.number()),
        3 => json!(-1),
        4 => json!(0.5),
        5 => json!([]),
        6 => json!({}),
        7 => other.clone(),
        _ => json!(word(chance)),
    }
}
