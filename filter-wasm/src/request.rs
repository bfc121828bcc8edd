//! One request: its headers, its response, its end.

use std::rc::Rc;

use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};
use wakegate_core::{Decision, RequestId};

use crate::shared::{self, Shared};

#[derive(Debug)]
pub(crate) struct Request {
    id: u32,
    shared: Rc<Shared>,
}

impl Request {
    pub(crate) fn new(id: u32, shared: Rc<Shared>) -> Self {
        Self { id, shared }
    }
}

impl Context for Request {
    fn on_done(&mut self) -> bool {
        let now = self.shared.now();
        self.shared
            .worker
            .borrow_mut()
            .on_end(now, RequestId(self.id));
        true
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _n_headers: usize, _end_of_stream: bool) -> Action {
        #[cfg(feature = "test-panic")]
        crate::test_panic::on_request();
        match self.shared.decide(self.id) {
            Decision::Pass => Action::Continue,
            Decision::Hold => {
                self.shared.after_hold(self.id);
                Action::Pause
            }
            Decision::Answer(answer) => {
                shared::reply(&answer);
                self.shared.after_hold(self.id);
                Action::Pause
            }
        }
    }

    fn on_http_response_headers(&mut self, n_headers: usize, _end_of_stream: bool) -> Action {
        self.shared.mark_response(self.id, n_headers);
        Action::Continue
    }
}
