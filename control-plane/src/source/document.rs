//! One file of manifests: its documents, and the object or the error of each.

mod decode;
mod split;
mod unknown;

use serde_json::Value;
use wakegate_api::UnknownField;

pub(super) use self::decode::typed;

use self::{decode::Described, split::Document};
use crate::object::{Object, ObjectId};

/// What aliases may stand for, all together. Nobody writes more by hand, and ten lines can mean more than
/// any memory holds.
const MAX_ALIASED: usize = 10_000;

/// What one document of a file is.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Its place in the file, from 1.
    pub document: usize,
    /// What it says.
    pub content: Result<Content, DocumentError>,
    /// The fields that its kind does not have; the rest of it counts.
    pub unknown: Vec<UnknownField>,
}

/// A document that says something.
#[derive(Clone, Debug)]
pub enum Content {
    /// An object of a kind that is read.
    Object(ObjectId, Box<Object>),
    /// A kind that is none of ours.
    Ignored(String),
}

/// A document that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// The object, where that much can be read.
    pub object: Option<ObjectId>,
    /// The field, where the error is in one.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

/// Reads every document of a file; a `List` counts as its items.
pub fn parse(text: &str) -> Vec<Parsed> {
    let mut all = Vec::new();
    for document in split::documents(text) {
        let index = document.index;
        let parsed = |content, unknown| Parsed {
            document: index,
            content,
            unknown,
        };
        match value(&document) {
            Ok(value) => all.extend(decode::items(value).into_iter().map(|item| {
                let mut unknown = Vec::new();
                let content = decode::object(item, &mut unknown);
                parsed(content, unknown)
            })),
            Err(error) => all.push(parsed(Err(error), Vec::new())),
        }
    }
    all
}

fn value(document: &Document<'_>) -> Result<Value, DocumentError> {
    let read = |text: &str| {
        let mut options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        options.alias_limits.max_total_replayed_events = MAX_ALIASED;
        serde_saphyr::from_str_with_options::<Value>(text, options)
    };
    let error = match read(document.text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // Once more, for its place in the file: only errors pay for the empty lines.
    let padded = "\n".repeat(document.n_lines_before) + document.text;
    Err(bad_yaml(read(&padded).err().unwrap_or(error)))
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn bad_yaml(error: serde_saphyr::Error) -> DocumentError {
    let reason = error.to_string().replace('\n', "; ");
    DocumentError {
        object: None,
        field: String::new(),
        reason,
    }
}

impl DocumentError {
    fn of(described: &Described, field: &str, reason: impl Into<String>) -> Self {
        Self {
            object: described.id.clone(),
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests;
