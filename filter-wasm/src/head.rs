//! The head of a request: all its headers, read at once.

use std::borrow::Cow;

use wakegate_core::{Request, RequestHead};

use crate::{
    abi::{Returned, pairs},
    host,
};

/// The head of the stream of the effective context.
///
/// All headers at once: a host call that returns a value crosses between Envoy and the VM twice, so that
/// one for each of host, path and user agent would cost more than the whole lookup.
#[derive(Debug)]
pub(crate) struct Head {
    headers: Returned,
}

impl Head {
    pub(crate) fn read() -> Self {
        Self {
            headers: host::request_headers(),
        }
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let headers = pairs::iter(&self.headers);
        headers.filter_map(move |(known, value)| (known == name.as_bytes()).then_some(value))
    }

    fn first(&self, name: &str) -> Cow<'_, [u8]> {
        self.values(name).next().unwrap_or_default().into()
    }
}

impl RequestHead for Head {
    fn method(&self) -> Cow<'_, [u8]> {
        self.first(":method")
    }

    fn has_value(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.values(name).any(test)
    }

    /// Several of one name are one list.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut values = self.values(name);
        let mut joined = Cow::Borrowed(values.next()?);
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
        host::cluster().map(|cluster| Cow::Owned(cluster.to_vec()))
    }
}
