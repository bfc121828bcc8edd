//! Documents as a person writes them.

use serde::de::DeserializeOwned;

/// A document of YAML as the type that it is meant to be.
///
/// # Panics
/// It is not of that type.
#[track_caller]
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> T {
    match serde_saphyr::from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("{error}\n{text}"),
    }
}
