//! Chunks of an update, until the last one puts them in force.

mod answers;

use std::sync::Arc;

use thiserror::Error;
use wakegate_core::{Backend, BackendId, Route, RouteId, TableUpdate};

use self::answers::Answers;
use crate::{DecodeError, v1};

/// Collects the chunks of one update; an update that does not parse is refused whole.
#[derive(Debug, Default)]
pub struct Assembler {
    pending: Pending,
    answers: Answers,
}

/// The chunks so far.
#[derive(Debug, Default)]
struct Pending {
    update: TableUpdate,
    refused: Option<DecodeError>,
    n_chunks: u32,
}

/// An update that was refused whole: the table that was in force goes on.
#[derive(Debug, Error)]
#[error("version {version}")]
pub struct AssembleError {
    /// The version that was refused, for the ack.
    pub version: String,
    /// What was wrong.
    pub source: DecodeError,
}

impl Assembler {
    /// Takes in one chunk, and gives the whole update with the last.
    ///
    /// # Errors
    /// With the last chunk, when any of them held something that does not parse.
    pub fn push(&mut self, chunk: v1::Update) -> Result<Option<TableUpdate>, AssembleError> {
        let pending = &mut self.pending;
        // Only the first chunk may start afresh; a `full` inside an update would drop its beginning.
        pending.update.full |= chunk.full && pending.n_chunks == 0;
        pending.n_chunks = pending.n_chunks.saturating_add(1);
        let (last, version) = (chunk.last, chunk.version.clone());
        if pending.refused.is_none() {
            pending.refused = pending.take_in(chunk, &mut self.answers).err();
        }
        if !last {
            return Ok(None);
        }
        let Pending {
            update, refused, ..
        } = std::mem::take(&mut self.pending);
        if !update.routes.is_empty() || !update.removed_routes.is_empty() {
            self.answers.forget_unused();
        }
        match refused {
            Some(source) => Err(AssembleError { version, source }),
            None => Ok(Some(TableUpdate { version, ..update })),
        }
    }

    /// Gives up the update that is under way, if one is: its stream is gone.
    pub fn restart(&mut self) {
        self.pending = Pending::default();
    }
}

impl Pending {
    fn take_in(&mut self, chunk: v1::Update, answers: &mut Answers) -> Result<(), DecodeError> {
        let update = &mut self.update;
        for route in chunk.routes {
            let mut route = Route::try_from(route)?;
            // Most routes hold by the same policy: ten thousand copies of it would be the larger
            // part of the table.
            let before = update.routes.last().map(|route| &route.policy);
            if let Some(policy) = before.filter(|policy| **policy == route.policy) {
                route.policy = Arc::clone(policy);
            } else if let Some(policy) = Arc::get_mut(&mut route.policy) {
                answers.share(policy);
            }
            update.routes.push(route);
        }
        for backend in chunk.backends {
            update.backends.push(Backend::try_from(backend)?);
        }
        let removed_routes = chunk.removed_routes.iter();
        update
            .removed_routes
            .extend(removed_routes.map(|id| RouteId::from(id.as_str())));
        let removed_backends = chunk.removed_backends.iter();
        update
            .removed_backends
            .extend(removed_backends.map(|id| BackendId::from(id.as_str())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(backend: &str, last: bool) -> v1::Update {
        v1::Update {
            full: true,
            last,
            version: if last { "v1".to_owned() } else { String::new() },
            backends: vec![v1::Backend {
                id: backend.to_owned(),
                ..v1::Backend::default()
            }],
            ..v1::Update::default()
        }
    }

    #[test]
    fn nothing_is_in_force_before_the_last_chunk() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(chunk("a/b/1", false)).unwrap(), None);
        let update = assembler.push(chunk("a/b/2", true)).unwrap().unwrap();
        assert!(update.full);
        assert_eq!((update.version.as_str(), update.backends.len()), ("v1", 2));
    }

    #[test]
    fn one_bad_entity_refuses_the_whole_update_and_no_other() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(chunk("", false)).unwrap(), None);
        let error = assembler.push(chunk("a/b/1", true)).unwrap_err();
        assert_eq!(error.version, "v1");
        assert_eq!(error.source.to_string(), "backend: id is missing");
        assert!(assembler.push(chunk("a/b/1", true)).unwrap().is_some());
    }
}
