//! What one gate holds, in order of arrival.
//!
//! Trees all the way: taking one out of the middle of 20,000 costs as much as taking the first, the
//! memory goes when the requests go, and nothing needs compacting.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Held, RequestId};
use crate::RouteId;

/// The place of a request in the order of arrival. Never given twice: 2^64 requests do not come.
type Turn = u64;

/// Held requests: those that wait for the backend, and those that were let go and wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next_turn: Turn,
    waiting: BTreeMap<Turn, Held>,
    let_go: BTreeMap<Turn, Held>,
    turns: BTreeMap<RequestId, Turn>,
    deadlines: BTreeSet<(Duration, Turn)>,
    /// The waiting ones of each route that has any.
    routes: BTreeMap<RouteId, BTreeSet<Turn>>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Appends `held`. Nothing changes when its id is held already.
    pub(super) fn push(&mut self, held: Held) {
        if self.turns.contains_key(&held.id) {
            return;
        }
        let turn = self.next_turn;
        self.next_turn = turn.wrapping_add(1);
        self.turns.insert(held.id, turn);
        self.deadlines.insert((held.deadline, turn));
        if let Some(turns) = self.routes.get_mut(&held.route) {
            turns.insert(turn);
        } else {
            self.routes
                .insert(held.route.clone(), BTreeSet::from([turn]));
        }
        self.waiting.insert(turn, held);
    }

    pub(super) fn remove(&mut self, id: RequestId) -> Option<Held> {
        let turn = *self.turns.get(&id)?;
        self.take(turn)
    }

    /// The turn of the first that waits.
    pub(super) fn first_waiting(&self) -> Option<(Turn, RequestId)> {
        self.waiting
            .first_key_value()
            .map(|(turn, held)| (*turn, held.id))
    }

    /// The turn of the first that was let go.
    pub(super) fn first_let_go(&self) -> Option<Turn> {
        self.let_go.first_key_value().map(|(turn, _)| *turn)
    }

    pub(super) fn pop_waiting(&mut self) -> Option<Held> {
        let turn = *self.waiting.first_key_value()?.0;
        self.take(turn)
    }

    pub(super) fn pop_let_go(&mut self) -> Option<Held> {
        let turn = *self.let_go.first_key_value()?.0;
        self.take(turn)
    }

    /// The earliest deadline of all.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes one whose deadline has come.
    pub(super) fn pop_expired(&mut self, now: Duration) -> Option<Held> {
        let (deadline, turn) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.take(turn)
    }

    /// Lets the waiting ones of `route` go, or all of them.
    pub(super) fn let_go(&mut self, route: Option<&RouteId>) {
        let Some(route) = route else {
            self.routes.clear();
            self.let_go.append(&mut self.waiting);
            return;
        };
        for turn in self.routes.remove(route).unwrap_or_default() {
            if let Some(held) = self.waiting.remove(&turn) {
                self.let_go.insert(turn, held);
            }
        }
    }

    /// Gives the waiting ones of `route` a new time-out, counted from when each was held.
    pub(super) fn set_deadlines(&mut self, route: &RouteId, hold_timeout: Duration) {
        for turn in self.routes.get(route).into_iter().flatten() {
            let Some(held) = self.waiting.get_mut(turn) else {
                continue;
            };
            self.deadlines.remove(&(held.deadline, *turn));
            held.deadline = held.since.saturating_add(hold_timeout);
            self.deadlines.insert((held.deadline, *turn));
        }
    }

    fn take(&mut self, turn: Turn) -> Option<Held> {
        let held = match self.waiting.remove(&turn) {
            Some(held) => {
                self.forget_route(&held.route, turn);
                held
            }
            None => self.let_go.remove(&turn)?,
        };
        self.turns.remove(&held.id);
        self.deadlines.remove(&(held.deadline, turn));
        Some(held)
    }

    fn forget_route(&mut self, route: &RouteId, turn: Turn) {
        if let Some(turns) = self.routes.get_mut(route) {
            turns.remove(&turn);
            if turns.is_empty() {
                self.routes.remove(route);
            }
        }
    }
}
