//! What the API server drops where nothing may be `null`: a file has nobody who does.

use std::collections::BTreeMap;

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

/// A map without the entries that are `null`; an empty one for `null`.
///
/// # Errors
/// What is there is neither `null` nor a map of texts.
pub(super) fn is_left_out<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let map: BTreeMap<String, Option<String>> = is_empty(deserializer)?;
    let said = map.into_iter();
    Ok(said
        .filter_map(|(name, value)| Some((name, value?)))
        .collect())
}
