//! The conditions of a status: what is said now, with the time from before where nothing has turned.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

use crate::{push::Applied, wanted::Refusal};

/// Bytes of a condition's message. The API server takes 32 KiB.
const MAX_MESSAGE: usize = 1_024;

/// What was said of one thing before, and of which generation is spoken now.
pub(super) struct Said<'a> {
    pub(super) generation: i64,
    pub(super) so_far: &'a [&'a Condition],
    pub(super) now: Timestamp,
}

impl Said<'_> {
    /// Whether the filters have it, said by the condition `kind`. Every change of the table is a moment in which no
    /// worker has it: what was programmed stays so.
    pub(super) fn programmed(
        &self,
        kind: &str,
        applied: Applied,
    ) -> Result<&'static str, (&'static str, &'static str)> {
        const DONE: &str = "every filter that is connected has it";
        match applied {
            Applied::All => Ok(DONE),
            Applied::Waiting { .. } if self.was_true(kind) => Ok(DONE),
            Applied::Waiting { .. } => {
                Err(("Pending", "not every filter that is connected has it yet"))
            }
            Applied::NoWorker => Err(("NoWorker", "no filter that serves its target is connected")),
        }
    }

    fn was_true(&self, kind: &str) -> bool {
        self.last(kind).is_some_and(|condition| {
            condition.status == "True" && condition.observed_generation == Some(self.generation)
        })
    }

    pub(super) fn of_result(
        &self,
        kind: &str,
        result: &Result<(), Refusal>,
        good: &str,
    ) -> Condition {
        match result {
            Ok(()) => self.condition(kind, ("True", kind, good)),
            Err(Refusal { reason, message }) => self.condition(kind, ("False", reason, message)),
        }
    }

    pub(super) fn condition(
        &self,
        kind: &str,
        (status, reason, text): (&str, &str, &str),
    ) -> Condition {
        let last = self.last(kind).filter(|last| last.status == status);
        let message = text.get(..text.floor_char_boundary(MAX_MESSAGE));
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.unwrap_or(text).to_owned(),
            observed_generation: Some(self.generation),
            last_transition_time: last
                .map_or(Time(self.now), |last| last.last_transition_time.clone()),
        }
    }

    fn last(&self, kind: &str) -> Option<&Condition> {
        self.so_far
            .iter()
            .copied()
            .find(|condition| condition.type_ == kind)
    }
}
