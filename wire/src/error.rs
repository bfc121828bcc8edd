//! Why a message was refused.

use thiserror::Error;
use wakegate_core::{RegexError, StaticAnswerError};

/// A message that cannot be taken in. It names the part, so that the sender can find it.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A field that must be there is not.
    #[error("{of}: {field} is missing")]
    Missing {
        /// What it should be part of.
        of: String,
        /// The field.
        field: &'static str,
    },
    /// A field says what it cannot say.
    #[error("{of}: {field} is {value}, {expected}")]
    Value {
        /// What it is part of.
        of: String,
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
    /// A regular expression that does not compile.
    #[error("{of}")]
    Regex {
        /// What it is part of.
        of: String,
        /// What is wrong with it.
        source: RegexError,
    },
    /// An answer that could not be sent.
    #[error("{of}.answer")]
    StaticAnswer {
        /// What it is part of.
        of: String,
        /// What is wrong with it.
        source: StaticAnswerError,
    },
}

impl DecodeError {
    pub(crate) fn missing(of: &str, field: &'static str) -> Self {
        Self::Missing {
            of: of.to_owned(),
            field,
        }
    }
}
