//! Trouble in the log: once when it begins and once a minute while it lasts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{place::Place, trouble::Trouble};

const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// When what was said last.
#[derive(Debug, Default)]
pub(super) struct Log {
    said: BTreeMap<Topic, Instant>,
}

/// What counts as the same trouble.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    /// It is the same for every kind.
    Server,
    /// Place and verb.
    Kind(String, &'static str),
}

impl Log {
    pub(super) fn on_trouble(&mut self, place: &Place, trouble: &Trouble, now: Instant) {
        let topic = match trouble {
            Trouble::Cut => return,
            Trouble::Unreachable { .. } => Topic::Server,
            Trouble::Forbidden { verb } | Trouble::Refused { verb, .. } => {
                Topic::Kind(place.to_string(), verb)
            }
            Trouble::Missing => Topic::Kind(place.to_string(), "list"),
        };
        if !self.is_due(topic, now) {
            return;
        }
        let (kind, namespace) = (place.kind.as_str(), place.namespace.as_deref());
        match trouble {
            Trouble::Cut => {}
            Trouble::Unreachable { reason } => {
                tracing::warn!(reason, "API server is not reached; trying again");
            }
            Trouble::Forbidden { verb } => {
                tracing::warn!(
                    kind,
                    namespace,
                    verb,
                    "forbidden by the API server: give the service account this right"
                );
            }
            Trouble::Refused { verb, reason } => {
                tracing::warn!(
                    kind,
                    namespace,
                    verb,
                    reason,
                    "refused by the API server; trying again"
                );
            }
            Trouble::Missing => {
                tracing::warn!(kind, namespace, "API server does not have this kind");
            }
        }
    }

    fn is_due(&mut self, topic: Topic, now: Instant) -> bool {
        let last = self.said.get(&topic);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(*last) >= AGAIN_AFTER);
        if is_due {
            self.said.insert(topic, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute() {
        let (mut log, now) = (Log::default(), Instant::now());
        let list = || Topic::Kind("Service".to_owned(), "list");
        assert!(log.is_due(list(), now));
        assert!(!log.is_due(list(), now + AGAIN_AFTER / 2));
        assert!(log.is_due(Topic::Kind("Service".to_owned(), "watch"), now));
        assert!(log.is_due(list(), now + AGAIN_AFTER));
    }
}
