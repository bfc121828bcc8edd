//! One request: its headers, its response, its end.

use std::{borrow::Cow, rc::Rc};

use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};
use wakegate_core::{Decision, RequestHead, RequestId};

use crate::{
    host,
    shared::{self, Shared},
};

#[derive(Debug)]
pub(crate) struct Request {
    id: u32,
    shared: Rc<Shared>,
}

/// The head of the stream of the effective context.
///
/// All headers at once: a host call costs several microseconds, and twice that when it returns a value,
/// so that one for each of host, path and user agent would cost more than the whole lookup.
#[derive(Debug)]
pub(crate) struct Head {
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub(crate) fn new(id: u32, shared: Rc<Shared>) -> Self {
        Self { id, shared }
    }
}

impl Head {
    pub(crate) fn read() -> Self {
        Self {
            headers: host::request_headers(),
        }
    }

    fn first(&self, name: &str) -> Cow<'_, [u8]> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(known, _)| known == name);
        header.map_or(Cow::Borrowed(b""), |(_, value)| value.into())
    }
}

impl RequestHead for Head {
    fn method(&self) -> Cow<'_, [u8]> {
        self.first(":method")
    }

    /// Several of one name are one list, as Envoy's own matchers have it.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let headers = self.headers.iter().filter(|(known, _)| known == name);
        let mut values = headers.map(|(_, value)| value);
        let mut joined = Cow::Borrowed(values.next()?.as_slice());
        for value in values {
            let list = joined.to_mut();
            list.push(b',');
            list.extend_from_slice(value);
        }
        Some(joined)
    }
}

impl wakegate_core::Request for Head {
    fn host(&self) -> Cow<'_, [u8]> {
        self.first(":authority")
    }

    fn path(&self) -> Cow<'_, [u8]> {
        self.first(":path")
    }

    fn cluster(&self) -> Option<Cow<'_, [u8]>> {
        host::cluster().map(Cow::Owned)
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
