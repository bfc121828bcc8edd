//! The routes of one host, by path.

use std::sync::Arc;

use super::{
    hosts::update,
    order,
    request::{Request, Tally},
};
use crate::{PathMatch, RequestHead, Route, hash::HashMap};

/// The routes of one host. A path without routes has no entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Paths {
    /// Those whose order is given, whatever their paths.
    listed: Ranked,
    exact: HashMap<Box<[u8]>, Ranked>,
    regexes: Ranked,
    /// Without a trailing slash, so that `/` is the empty one.
    prefixes: HashMap<Box<[u8]>, Ranked>,
    /// The lengths of the prefixes, longest first: a lookup searches where a segment of its path ends at
    /// one of them, and so does no more than the table asks for, however long the path.
    lengths: Vec<Length>,
}

/// How many of the prefixes are that long.
#[derive(Clone, Debug, PartialEq)]
struct Length {
    n_bytes: usize,
    n_prefixes: usize,
}

/// Routes that share host and path (or have regular expressions), the first in precedence first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ranked(Vec<Arc<Route>>);

impl Paths {
    pub(super) fn insert(&mut self, route: &Arc<Route>) {
        match &route.path {
            _ if route.listed => self.listed.insert(route),
            PathMatch::Exact(path) => {
                self.exact
                    .entry(path.as_bytes().into())
                    .or_default()
                    .insert(route);
            }
            PathMatch::Regex(_) => self.regexes.insert(route),
            PathMatch::Prefix(path) => {
                let prefix = without_slash(path);
                let routes = self.prefixes.entry(prefix.into()).or_default();
                let is_new = routes.0.is_empty();
                routes.insert(route);
                if is_new {
                    self.add_length(prefix.len());
                }
            }
        }
    }

    pub(super) fn remove(&mut self, route: &Route) {
        match &route.path {
            _ if route.listed => self.listed.remove(route),
            PathMatch::Exact(path) => update(&mut self.exact, path.as_bytes(), |routes| {
                routes.remove(route);
                routes.0.is_empty()
            }),
            PathMatch::Regex(_) => self.regexes.remove(route),
            PathMatch::Prefix(path) => {
                let prefix = without_slash(path);
                let mut is_last = false;
                update(&mut self.prefixes, prefix, |routes| {
                    routes.remove(route);
                    is_last = routes.0.is_empty();
                    is_last
                });
                if is_last {
                    self.remove_length(prefix.len());
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.0.is_empty()
            && self.exact.is_empty()
            && self.regexes.0.is_empty()
            && self.prefixes.is_empty()
    }

    pub(super) fn find<H: RequestHead, T: Tally>(
        &self,
        request: &mut Request<'_, H, T>,
    ) -> Option<&Arc<Route>> {
        self.listed
            .find(request)
            .or_else(|| self.find_exact(request))
            .or_else(|| self.regexes.find(request))
            .or_else(|| self.find_prefix(request))
    }

    /// The routes of each exact path.
    pub(super) fn exact(&self) -> impl Iterator<Item = &Ranked> {
        self.exact.values()
    }

    /// The routes by regular expression.
    pub(super) fn regexes(&self) -> &Ranked {
        &self.regexes
    }

    /// The routes of each prefix, which has no trailing slash.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = (&[u8], &Ranked)> {
        self.prefixes
            .iter()
            .map(|(prefix, routes)| (&**prefix, routes))
    }

    fn find_exact<H: RequestHead, T: Tally>(
        &self,
        request: &mut Request<'_, H, T>,
    ) -> Option<&Arc<Route>> {
        if self.exact.is_empty() {
            return None;
        }
        request.tally.probe();
        self.exact.get(request.path)?.find(request)
    }

    fn find_prefix<H: RequestHead, T: Tally>(
        &self,
        request: &mut Request<'_, H, T>,
    ) -> Option<&Arc<Route>> {
        let path = request.path;
        self.lengths.iter().find_map(|length| {
            let (prefix, rest) = path.split_at_checked(length.n_bytes)?;
            // The empty prefix is that of every path, also of `*`.
            let ends_a_segment = prefix.is_empty() || rest.first().is_none_or(|byte| *byte == b'/');
            if !ends_a_segment {
                return None;
            }
            request.tally.probe();
            self.prefixes.get(prefix)?.find(request)
        })
    }

    fn add_length(&mut self, n_bytes: usize) {
        let at = self
            .lengths
            .partition_point(|length| length.n_bytes > n_bytes);
        match self.lengths.get_mut(at) {
            Some(length) if length.n_bytes == n_bytes => length.n_prefixes += 1,
            Some(_) | None => self.lengths.insert(
                at,
                Length {
                    n_bytes,
                    n_prefixes: 1,
                },
            ),
        }
    }

    fn remove_length(&mut self, n_bytes: usize) {
        for length in &mut self.lengths {
            if length.n_bytes == n_bytes {
                length.n_prefixes = length.n_prefixes.saturating_sub(1);
            }
        }
        self.lengths.retain(|length| length.n_prefixes > 0);
    }
}

impl Ranked {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.iter()
    }

    fn find<H: RequestHead, T: Tally>(
        &self,
        request: &mut Request<'_, H, T>,
    ) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| request.is_for(route))
    }

    /// A route that names a host twice comes twice, and is kept once.
    fn insert(&mut self, route: &Arc<Route>) {
        if let Err(at) = self.position(route) {
            self.0.insert(at, Arc::clone(route));
        }
    }

    fn remove(&mut self, route: &Route) {
        if let Ok(at) = self.position(route) {
            self.0.remove(at);
        }
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    /// Where the route is, or where it belongs: the order is total, and equal means the same name.
    fn position(&self, route: &Route) -> Result<usize, usize> {
        self.0
            .binary_search_by(|other| order::precedence(other, route))
    }
}

/// `/api` and `/api/` are one prefix.
fn without_slash(prefix: &str) -> &[u8] {
    let prefix = prefix.as_bytes();
    prefix.strip_suffix(b"/").unwrap_or(prefix)
}
