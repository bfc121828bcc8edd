//! Requests that are answered with what their object says: static routes, and placeholders for a hold.

use std::{sync::Arc, time::Duration};

use super::{Decision, Slot, Tally, TimeLeft, Tracked, Worker};
use crate::{Policy, Reason, Request, Route, StaticAnswer, StaticReply};

/// What is to be done with a request of a static route, if it is one. It is counted nowhere and wakes nothing.
#[cold]
#[inline(never)]
pub(super) fn decide(
    route: &Route,
    slot: Option<&Slot>,
    request: &impl Request,
    tally: &mut Tally,
) -> Option<Decision> {
    let (host, path) = (request.host(), request.path());
    let mut rules = route.policy.static_routes.iter();
    let rule = rules.find(|rule| rule.is_for(&host, &path, request))?;
    if !rule.always && !slot.is_some_and(Slot::is_asleep) {
        return Some(Decision::pass(TimeLeft::whole(&route.policy)));
    }
    tally.answered(Reason::StaticRoute);
    let reply = StaticReply::new(&rule.answer, &path, request);
    Some(Decision::Reply(reply))
}

/// The placeholder that takes the place of a hold, room or not. A backend that is said to be ready is proved
/// by held requests alone, and in a moment: there it does not.
pub(super) fn placeholder<'p>(policy: &'p Policy, slot: &Slot) -> Option<&'p Arc<StaticAnswer>> {
    let placeholder = policy.placeholder.as_ref()?;
    (slot.is_asleep() && !placeholder.overflow_only).then_some(&placeholder.answer)
}

impl Worker {
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
