//! What the API server drops where nothing may be `null`: a file has nobody who does.

use serde::{Deserialize, Deserializer};

/// An empty list or map for `null`, as in a YAML key without a value.
///
/// # Errors
/// What is there is neither `null` nor of that type.
pub(super) fn is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
