//! The head of a request: all its headers, read at once.

use std::borrow::Cow;

use wakegate_core::{Request, RequestHead};

use crate::host;

/// The head of the stream of the effective context.
///
/// All headers at once: a host call costs several microseconds, and twice that when it returns a value,
/// so that one for each of host, path and user agent would cost more than the whole lookup.
#[derive(Debug)]
pub(crate) struct Head {
    headers: Vec<(String, Vec<u8>)>,
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

impl Request for Head {
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
