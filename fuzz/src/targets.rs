//! The targets.

mod annotations;
mod heads;
mod ledgers;
mod lookup;
mod manifests;
mod plugin;
mod policies;
mod reports;
mod updates;

use crate::Target;

/// All targets.
pub const ALL: [Target; 8] = [
    updates::TARGET,
    reports::TARGET,
    ledgers::TARGET,
    plugin::TARGET,
    heads::TARGET,
    annotations::TARGET,
    manifests::TARGET,
    policies::TARGET,
];

/// An error unless a property holds.
fn ensure(holds: bool, property: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(property()) }
}
