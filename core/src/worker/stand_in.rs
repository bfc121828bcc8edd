//! Requests that are answered with what their object says: static routes, and placeholders for a hold.

use std::{sync::Arc, time::Duration};

use super::{Decision, Slot, Tracked, Worker, time_left};
use crate::{Policy, Reason, Request, Route, StaticAnswer, StaticReply, StaticRoute};

/// The static route of a request, if it has one. On the hot path: a policy without any asks nothing.
pub(super) fn find<'r>(
    policy: &'r Policy,
    path: &[u8],
    request: &impl Request,
) -> Option<&'r StaticRoute> {
    if policy.static_routes.is_empty() {
        return None;
    }
    let (host, mut rules) = (request.host(), policy.static_routes.iter());
    rules.find(|rule| rule.is_for(&host, path, request))
}

/// The placeholder that takes the place of a hold, room or not. A backend that is said to be ready is proved
/// by held requests alone, and in a moment: there it does not.
pub(super) fn placeholder<'p>(policy: &'p Policy, slot: &Slot) -> Option<&'p Arc<StaticAnswer>> {
    let placeholder = policy.placeholder.as_ref()?;
    (slot.is_asleep() && !placeholder.overflow_only).then_some(&placeholder.answer)
}

impl Worker {
    /// It is counted nowhere and wakes nothing.
    pub(super) fn on_static(
        &mut self,
        route: &Route,
        rule: &StaticRoute,
        is_asleep: bool,
        request: &impl Request,
    ) -> Decision {
        if !rule.always && !is_asleep {
            return time_left::pass(&route.policy);
        }
        self.tally.answered(Reason::StaticRoute);
        Decision::Reply(StaticReply::new(&rule.answer, &request.path(), request))
    }

    /// Answers a request in place of holding it. It started and ended, and so wakes its backend.
    pub(super) fn stand_in(
        &mut self,
        now: Duration,
        tracked: &Tracked,
        answer: &Arc<StaticAnswer>,
        request: &impl Request,
    ) -> Decision {
        let key = &tracked.target.key;
        let slot = self.backends.get_mut(&tracked.target.backend);
        // What is held has been told of; without, the first of a second is told of at once, and the others
        // with the report of each second: nothing else would slow reports down.
        if self.demand.held(key) == 0 && slot.is_some_and(|slot| slot.is_news(now)) {
            self.reporter.hurry();
        }
        self.demand.shed(now, key);
        self.tally.answered(Reason::Placeholder);
        Decision::Reply(StaticReply::new(answer, &request.path(), request))
    }
}
