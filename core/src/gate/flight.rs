//! The requests that a gate released and that are not answered yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Held, RequestId};

/// A request that is known to be long frees its place in the window after this time: its answer may
/// wait for the client, and a backend that took it for so long has it.
const LONG_TAKEN_AFTER: Duration = Duration::from_millis(500);

/// Released requests, each until it is answered or ends.
#[derive(Debug, Default)]
pub(super) struct Flight {
    released: BTreeMap<RequestId, Released>,
    /// When the long ones among them free their place.
    long: BTreeSet<(Duration, RequestId)>,
    n_let_go: usize,
    n_in_window: usize,
    thaw: u64,
}

/// One released request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Released {
    pub(super) at: Duration,
    pub(super) lane: Lane,
    /// Whether it still has a place in the window. Without one it counts against the cap alone.
    pub(super) has_place: bool,
}

/// What let a request go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Its route or its backend is gone.
    LetGo,
    /// The thaw of this number, in its round of this number.
    Thaw { thaw: u64, round: u32 },
}

impl Flight {
    /// All that were released and are not answered: what the cap bounds.
    pub(super) fn len(&self) -> usize {
        self.released.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.released.is_empty()
    }

    /// The places taken by requests whose route is gone.
    pub(super) fn n_let_go(&self) -> usize {
        self.n_let_go
    }

    /// The places taken in the window of the thaw that is under way.
    pub(super) fn n_in_window(&self) -> usize {
        self.n_in_window
    }

    /// Starts a new window. Requests of earlier thaws go on counting against the cap alone: a backend
    /// that hangs on one of them must not block the next canary.
    pub(super) fn begin_thaw(&mut self, thaw: u64) {
        self.thaw = thaw;
        self.n_in_window = 0;
    }

    pub(super) fn insert(&mut self, now: Duration, held: &Held, lane: Lane) {
        self.remove(held.id);
        let released = Released {
            at: now,
            lane,
            has_place: true,
        };
        if let Some(n_taken) = self.places(lane) {
            *n_taken = n_taken.saturating_add(1);
        }
        if held.long {
            self.long
                .insert((now.saturating_add(LONG_TAKEN_AFTER), held.id));
        }
        self.released.insert(held.id, released);
    }

    pub(super) fn remove(&mut self, id: RequestId) -> Option<Released> {
        let released = self.released.remove(&id)?;
        if released.has_place {
            self.free_place(released.lane);
            self.long
                .remove(&(released.at.saturating_add(LONG_TAKEN_AFTER), id));
        }
        Some(released)
    }

    /// When the next long request frees its place.
    pub(super) fn next_taken(&self) -> Option<Duration> {
        self.long.first().map(|(at, _)| *at)
    }

    /// Frees the place of a long request whose time has come.
    pub(super) fn pop_taken(&mut self, now: Duration) -> Option<Released> {
        let (at, id) = *self.long.first()?;
        if at > now {
            return None;
        }
        self.long.pop_first();
        let released = self.released.get_mut(&id)?;
        released.has_place = false;
        let released = *released;
        self.free_place(released.lane);
        Some(released)
    }

    fn free_place(&mut self, lane: Lane) {
        if let Some(n_taken) = self.places(lane) {
            *n_taken = n_taken.saturating_sub(1);
        }
    }

    /// The count that requests of `lane` enter; none for an earlier thaw.
    fn places(&mut self, lane: Lane) -> Option<&mut usize> {
        match lane {
            Lane::LetGo => Some(&mut self.n_let_go),
            Lane::Thaw { thaw, .. } => (thaw == self.thaw).then_some(&mut self.n_in_window),
        }
    }
}
