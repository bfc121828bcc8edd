//! Conditions of a status, among which older add-ons have left others.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// The conditions that are some, and none for `null`.
///
/// Until 0.11 the add-on wrote conditions with a `timestamp` and without a `lastTransitionTime`. Its operator
/// drops them when it comes across them, and so does this: they must not keep an object from being read.
///
/// # Errors
/// What is there is neither `null` nor a list of conditions.
pub(super) fn of_today<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Condition>, D::Error> {
    let all: Option<Vec<Value>> = Option::deserialize(deserializer)?;
    let is_of_today = |condition: &Value| condition.get("lastTransitionTime").is_some();
    let of_today = all.into_iter().flatten().filter(is_of_today);
    of_today
        .map(|condition| Condition::deserialize(condition).map_err(Error::custom))
        .collect()
}
