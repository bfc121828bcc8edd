//! A request as a lookup sees it: what is at hand, and what is asked when a candidate needs it.

use std::borrow::Cow;

use crate::{HeaderMatch, PathMatch, QueryMatch, RequestHead, Route};

/// Headers that a lookup remembers. Above it asks again, so that routes by thousands of headers do not
/// make it search thousands of answers.
const MAX_REMEMBERED: usize = 16;

/// Counts what a lookup does. Lookups have `()`, which counts nothing and costs nothing; tests count.
pub(super) trait Tally {
    /// A search in a hash map.
    fn probe(&mut self);
    /// A route that was compared with the request.
    fn candidate(&mut self);
}

impl Tally for () {
    fn probe(&mut self) {}
    fn candidate(&mut self) {}
}

/// A request in a lookup.
#[derive(Debug)]
pub(super) struct Request<'r, H, T> {
    /// Without the query.
    pub(super) path: &'r [u8],
    pub(super) tally: T,
    query: &'r [u8],
    head: &'r H,
    method: Option<Cow<'r, [u8]>>,
    headers: Vec<(String, Option<Cow<'r, [u8]>>)>,
}

impl<'r, H: RequestHead, T: Tally> Request<'r, H, T> {
    pub(super) fn new(path: &'r [u8], head: &'r H, tally: T) -> Self {
        let end = path.iter().position(|byte| *byte == b'?');
        let (path, query) = path
            .split_at_checked(end.unwrap_or(path.len()))
            .unwrap_or((path, b""));
        Self {
            path,
            tally,
            query: query.strip_prefix(b"?").unwrap_or(query),
            head,
            method: None,
            headers: Vec::new(),
        }
    }

    /// Whether a route matches whose host does, and whose path does unless it is a regular expression or listed.
    /// What is at hand is compared first.
    pub(super) fn is_for(&mut self, route: &Route) -> bool {
        self.tally.candidate();
        let is_path = match &route.path {
            PathMatch::Regex(regex) => regex.matches(self.path),
            PathMatch::Exact(path) if route.listed => self.path == path.as_bytes(),
            PathMatch::Prefix(path) if route.listed => self.begins_with(path),
            PathMatch::Exact(_) | PathMatch::Prefix(_) => true,
        };
        is_path
            && route.query.iter().all(|wanted| self.has_parameter(wanted))
            && route
                .method
                .as_ref()
                .is_none_or(|method| self.has_method(method))
            && route.headers.iter().all(|wanted| self.has_header(wanted))
    }

    /// Whether the path begins with these segments.
    fn begins_with(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let rest = self.path.strip_prefix(prefix.as_bytes());
        rest.is_some_and(|rest| prefix.is_empty() || rest.first().is_none_or(|byte| *byte == b'/'))
    }

    fn has_header(&mut self, wanted: &HeaderMatch) -> bool {
        let head = self.head;
        self.with_header(&wanted.name, |value| wanted.matches(value, head))
    }

    /// The first parameter of that name counts; one without `=` is empty.
    fn has_parameter(&self, wanted: &QueryMatch) -> bool {
        let mut parameters = self.query.split(|byte| *byte == b'&').map(|parameter| {
            let end = parameter.iter().position(|byte| *byte == b'=');
            end.and_then(|end| parameter.split_at_checked(end))
                .unwrap_or((parameter, b"="))
        });
        parameters
            .find(|(name, _)| *name == wanted.name.as_bytes())
            .and_then(|(_, value)| value.strip_prefix(b"="))
            .is_some_and(|value| value == wanted.value.as_bytes())
    }

    fn has_method(&mut self, method: &str) -> bool {
        **self.method.get_or_insert_with(|| self.head.method()) == *method.as_bytes()
    }

    fn with_header(&mut self, name: &str, test: impl FnOnce(Option<&[u8]>) -> bool) -> bool {
        if let Some((_, value)) = self.headers.iter().find(|(known, _)| known == name) {
            return test(value.as_deref());
        }
        let value = self.head.header(name);
        let answer = test(value.as_deref());
        if self.headers.len() < MAX_REMEMBERED {
            self.headers.push((name.to_owned(), value));
        }
        answer
    }
}
