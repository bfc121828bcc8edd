//! What is known for a trigger, and why KEDA gets no answer.

use std::sync::Arc;

use thiserror::Error;
use wakegate_core::{BookError, Scale, Unknown, Workload};

use super::trigger::TriggerError;

/// What is known for a trigger.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) workload: Arc<Workload>,
    pub(crate) scale: Scale,
    /// Made of the trigger alone, because there is no table yet: other keys of the workload are missing.
    pub(super) is_provisional: bool,
}

/// Why KEDA gets no answer.
#[derive(Clone, Debug, PartialEq, Error)]
pub(crate) enum Refusal {
    #[error("the scaler has no table from the control plane yet")]
    NoTable,
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    #[error("there is no metric {name:?}; there are {known}")]
    NoMetric { name: String, known: String },
}

impl Look {
    /// What KEDA is told, or why nothing.
    pub(crate) fn answer(self) -> Result<Scale, Refusal> {
        match self.scale {
            Scale::Unknown(unknown) => Err(unknown.into()),
            Scale::Idle(_) if self.is_provisional => Err(Refusal::NoTable),
            scale @ (Scale::Idle(_) | Scale::Active(_)) => Ok(scale),
        }
    }
}
