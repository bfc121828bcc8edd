//! What became of every request.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200 (101 for a WebSocket), and what it says belongs to this request.
    Right {
        /// The answer says that the request was held.
        was_held: bool,
        /// The app's process and the number of the request there; `None` for a WebSocket.
        delivery: Option<(u64, u64)>,
    },
    /// Another status.
    Status(u16),
    /// An answer that belongs to another request, or to none.
    Wrong(String),
    /// The connection ended without an answer.
    Broken(String),
    /// Neither came before the deadline.
    Hung,
}

/// The outcomes of one kind of traffic.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    sums: Sums,
    /// An answer that comes twice names the same delivery twice.
    deliveries: HashSet<(u64, u64)>,
}

/// The sums of a tally.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Sums {
    /// Requests that ended, in whatever way.
    pub(crate) n_ended: usize,
    /// Those with the right answer.
    pub(crate) n_right: usize,
    /// Those with the right answer that were held before.
    pub(crate) n_held: usize,
    /// Those with another status.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// Those without an answer, or with one that is wrong, by what happened.
    pub(crate) unanswered: BTreeMap<String, usize>,
    /// Sent a second time, because the first connection had been closed.
    pub(crate) n_repeated: usize,
    /// The longest that any request took.
    pub(crate) slowest_ms: u64,
}

impl Tally {
    pub(crate) fn record(&self, outcome: Outcome, took: Duration) {
        let mut counts = self.0.lock();
        let is_again = match &outcome {
            Outcome::Right { delivery, .. } => {
                delivery.is_some_and(|delivery| !counts.deliveries.insert(delivery))
            }
            Outcome::Status(_) | Outcome::Wrong(_) | Outcome::Broken(_) | Outcome::Hung => false,
        };
        let outcome = if is_again {
            Outcome::Wrong("an answer came twice".to_owned())
        } else {
            outcome
        };
        counts.sums.add(outcome, took);
    }

    pub(crate) fn repeated(&self) {
        self.0.lock().sums.n_repeated += 1;
    }

    pub(crate) fn sums(&self) -> Sums {
        self.0.lock().sums.clone()
    }
}

impl Sums {
    fn add(&mut self, outcome: Outcome, took: Duration) {
        self.n_ended += 1;
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.slowest_ms = self.slowest_ms.max(took);
        let problem = match outcome {
            Outcome::Right { was_held, .. } => {
                self.n_right += 1;
                self.n_held += usize::from(was_held);
                return;
            }
            Outcome::Status(status) => {
                *self.statuses.entry(status).or_default() += 1;
                return;
            }
            Outcome::Wrong(what) => format!("wrong: {what}"),
            Outcome::Broken(what) => format!("broken: {what}"),
            Outcome::Hung => "hung".to_owned(),
        };
        *self.unanswered.entry(problem).or_default() += 1;
    }

    /// Those that did not get the right answer.
    pub(crate) fn n_lost(&self) -> usize {
        self.n_ended - self.n_right
    }

    /// Those that got no answer, or a wrong one.
    pub(crate) fn n_unanswered(&self) -> usize {
        self.unanswered.values().sum()
    }

    /// All that was lost and how, for people; empty when nothing was.
    pub(crate) fn losses(&self) -> String {
        let statuses = self.statuses.iter();
        let statuses = statuses.map(|(status, n)| format!("{n} × {status}"));
        let unanswered = self.unanswered.iter();
        let unanswered = unanswered.map(|(what, n)| format!("{n} × {what}"));
        statuses.chain(unanswered).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(delivery: (u64, u64)) -> Outcome {
        Outcome::Right {
            was_held: false,
            delivery: Some(delivery),
        }
    }

    #[test]
    fn an_answer_that_comes_twice_is_wrong() {
        let tally = Tally::default();
        for delivery in [(1, 7), (2, 7), (1, 8), (1, 7)] {
            tally.record(answer(delivery), Duration::ZERO);
        }
        let sums = tally.sums();
        assert_eq!((sums.n_ended, sums.n_right), (4, 3));
        assert_eq!(sums.losses(), "1 × wrong: an answer came twice");
    }

    #[test]
    fn only_what_got_no_answer_is_unanswered() {
        let tally = Tally::default();
        let outcomes = [
            answer((1, 0)),
            Outcome::Status(504),
            Outcome::Broken("reset".to_owned()),
            Outcome::Hung,
        ];
        for outcome in outcomes {
            tally.record(outcome, Duration::from_millis(3));
        }
        let sums = tally.sums();
        assert_eq!((sums.n_lost(), sums.n_unanswered()), (3, 2));
        assert_eq!(sums.losses(), "1 × 504, 1 × broken: reset, 1 × hung");
        assert_eq!(sums.slowest_ms, 3);
    }
}
