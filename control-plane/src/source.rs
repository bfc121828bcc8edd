//! Where objects come from. A source turns what it sees into changes of the index.

pub mod document;
pub mod files;
