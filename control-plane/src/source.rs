//! Where objects come from. A source turns what it sees into changes of the index.

pub mod document;
pub mod files;
pub mod kubernetes;

use std::time::Duration;

use crate::object::{Finding, Object, ObjectId};

/// An object's new version, or that it is gone.
pub type Change = (ObjectId, Option<Object>);

/// What one look at a source brought.
#[derive(Debug, Default)]
pub struct Reload {
    /// The objects that changed.
    pub changes: Vec<Change>,
    /// All that is wrong with what was read, other than what the index finds in objects.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took: Duration,
}

/// What follows from a version of an object that cannot be used.
fn follows(is_last_kept: bool) -> &'static str {
    if is_last_kept {
        "its last good version stays in force"
    } else {
        "it is not used"
    }
}
