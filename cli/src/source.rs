//! Where objects come from: files or a cluster. What they mean is for whoever asks.

pub(crate) mod cluster;
pub(crate) mod files;

use serde::Serialize;
use serde_json::Value;

/// Something that could not be read: a report of the rest says less than it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// A file, or a kind with its namespace.
    pub what: String,
    /// Why not.
    pub reason: String,
}

/// A kind, as an API server's paths have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// As objects name it.
    pub kind: &'static str,
    /// Its group; empty for the core's.
    pub group: &'static str,
    /// The versions that can be read, the newest first.
    pub versions: &'static [&'static str],
    /// In lower case, as in a path.
    pub plural: &'static str,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
}

impl Resource {
    /// With group and version, as objects have it.
    pub fn api_version(&self, version: &str) -> String {
        match self.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }
}

/// Calls `with` for an object, or for each of a list of them.
pub(crate) fn each(mut value: Value, with: &mut dyn FnMut(Value)) {
    let kind = value.get("kind").and_then(Value::as_str);
    if kind.is_some_and(|kind| kind.ends_with("List"))
        && let Some(Value::Array(items)) = value.get_mut("items").map(Value::take)
    {
        for item in items {
            each(item, with);
        }
        return;
    }
    with(value);
}
