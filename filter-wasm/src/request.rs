//! One request: its headers and its end. Its response: [`Shared::mark_response`].

use wakegate_core::{Decision, RequestId};

use crate::{
    abi::FilterHeadersStatus,
    host,
    shared::{self, Shared},
};

pub(crate) fn on_headers(id: u32, shared: &Shared) -> FilterHeadersStatus {
    #[cfg(feature = "test-panic")]
    crate::test_panic::on_request();
    match shared.decide(id) {
        Decision::Pass => return FilterHeadersStatus::Continue,
        Decision::PassWithin(left) => {
            host::set_time_left(left);
            return FilterHeadersStatus::Continue;
        }
        Decision::Hold => {}
        Decision::Answer(answer) => shared::reply(&answer),
        Decision::Reply(reply) => host::reply_as_is(&reply.parts()),
    }
    shared.after_hold(id);
    FilterHeadersStatus::Pause
}

pub(crate) fn on_end(id: u32, shared: &Shared) {
    let now = shared.now();
    let has_freed_a_place = shared.worker.borrow_mut().on_end(now, RequestId(id));
    if has_freed_a_place {
        shared.hurry(id);
    }
}
