//! One write, and what became of it.

use std::future::Future;

use kube::core::Status;
use tokio::time::timeout;

use super::{WRITE_LIMIT, metrics::WriteOutcome};

/// Why a write did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// Somebody else has a field, or wrote in between.
    Conflict(String),
    /// The API server or a webhook does not want it; its words.
    Refused(String),
    /// Neither the object nor its kind is there.
    Absent,
    /// No answer, or a failure of the API server.
    Failed(String),
}

/// Waits for a write, but not for ever.
pub(crate) async fn write<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Unwritten> {
    match timeout(WRITE_LIMIT, call).await {
        Ok(Ok(written)) => Ok(written),
        Ok(Err(kube::Error::Api(status))) => Err(Unwritten::from(&*status)),
        Ok(Err(error)) => Err(Unwritten::Failed(error.to_string())),
        Err(_) => Err(Unwritten::Failed(format!(
            "no answer within {WRITE_LIMIT:?}"
        ))),
    }
}

impl Unwritten {
    pub(super) fn outcome(&self) -> WriteOutcome {
        match self {
            Self::Conflict(_) => WriteOutcome::Conflict,
            Self::Refused(_) => WriteOutcome::Refused,
            Self::Absent | Self::Failed(_) => WriteOutcome::Failed,
        }
    }
}

impl From<&Status> for Unwritten {
    fn from(status: &Status) -> Self {
        let message = status.message.clone();
        match status.code {
            404 => Self::Absent,
            409 => Self::Conflict(conflict(status)),
            // What a later try may change without anybody's doing.
            401 | 408 | 429 => Self::Failed(message),
            400..=499 => Self::Refused(message),
            _ => Self::Failed(message),
        }
    }
}

/// Who has which field; the API server's sentence where it does not say.
fn conflict(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: Vec<String> = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            format!(
                "{} ({})",
                cause.field.trim_start_matches('.'),
                cause.message
            )
        })
        .collect();
    if causes.is_empty() {
        return status.message.clone();
    }
    causes.join(", ")
}
