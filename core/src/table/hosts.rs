//! The hosts that have routes, from the most specific to every host.

use std::{fmt, sync::Arc};

use super::{
    host,
    paths::Paths,
    request::{Request, Tally},
};
use crate::{HostMatch, RequestHead, Route, hash::HashMap};

/// Names as bytes: those of requests come as bytes.
type ByName = HashMap<Box<[u8]>, Paths>;

/// The routes of each host. A host without routes has no entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hosts {
    /// Names as `host::name` has them, and no others: so a host may be looked up as it comes.
    exact: ByName,
    /// Exact hosts that are no such names: no request has them.
    impossible: ByName,
    /// Wildcards for one label, by what follows the label.
    one_label: ByName,
    /// Wildcards for any number of labels, by what follows them.
    any_depth: ByName,
    every: Paths,
}

/// A host as a person writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'t> {
    Exact(&'t [u8]),
    Wildcard(&'t [u8]),
    Every,
}

impl Hosts {
    pub(super) fn insert(&mut self, route: &Arc<Route>) {
        if route.hosts.is_empty() {
            self.every.insert(route);
        }
        for host in &route.hosts {
            let (hosts, name) = self.level_mut(host);
            hosts
                .entry(name.as_bytes().into())
                .or_default()
                .insert(route);
        }
    }

    pub(super) fn remove(&mut self, route: &Route) {
        if route.hosts.is_empty() {
            self.every.remove(route);
        }
        for host in &route.hosts {
            let (hosts, name) = self.level_mut(host);
            update(hosts, name.as_bytes(), |paths| {
                paths.remove(route);
                paths.is_empty()
            });
        }
    }

    /// The first route that matches, from the most specific host on.
    pub(super) fn find<H: RequestHead, T: Tally>(
        &self,
        authority: &[u8],
        request: &mut Request<'_, H, T>,
    ) -> Option<&Arc<Route>> {
        find_in(&self.exact, authority, request)
            .or_else(|| self.find_by_name(authority, request))
            .or_else(|| self.every.find(request))
    }

    /// Each host that has routes, as a person writes it, and its routes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Name<'_>, &Paths)> {
        let exact = self.exact.iter().chain(&self.impossible);
        let exact = exact.map(|(name, paths)| (Name::Exact(name), paths));
        let wildcards = self.one_label.iter().chain(&self.any_depth);
        let wildcards = wildcards.map(|(name, paths)| (Name::Wildcard(name), paths));
        exact.chain(wildcards).chain([(Name::Every, &self.every)])
    }

    /// Where the host, as it came, has no route.
    fn find_by_name<H: RequestHead, T: Tally>(
        &self,
        authority: &[u8],
        request: &mut Request<'_, H, T>,
    ) -> Option<&Arc<Route>> {
        let mut buffer = None;
        let name = host::name(authority, &mut buffer)?;
        if name != authority
            && let Some(route) = find_in(&self.exact, name, request)
        {
            return Some(route);
        }
        host::parents(name).enumerate().find_map(|(depth, parent)| {
            let one_label = if depth == 0 {
                Some(&self.one_label)
            } else {
                None
            };
            one_label
                .and_then(|hosts| find_in(hosts, parent, request))
                .or_else(|| find_in(&self.any_depth, parent, request))
        })
    }

    fn level_mut<'h>(&mut self, host: &'h HostMatch) -> (&mut ByName, &'h str) {
        match host {
            HostMatch::Exact(name) if host::is_name(name.as_bytes()) => (&mut self.exact, name),
            HostMatch::Exact(name) => (&mut self.impossible, name),
            HostMatch::SingleLabel(name) => (&mut self.one_label, name),
            HostMatch::Suffix(name) => (&mut self.any_depth, name),
        }
    }
}

/// Changes what `map` has at `key`, drops it when `change` says that nothing is left, and gives back the
/// memory of a map that is mostly empty.
pub(super) fn update<V>(
    map: &mut HashMap<Box<[u8]>, V>,
    key: &[u8],
    change: impl FnOnce(&mut V) -> bool,
) {
    if map.get_mut(key).is_some_and(change) {
        map.remove(key);
        // To twice of what is left: so each move of an entry is paid for by a removal.
        if map.len() < map.capacity() / 4 {
            map.shrink_to(map.len() * 2);
        }
    }
}

impl Name<'_> {
    /// Whether a request can have such a host.
    pub(super) fn is_possible(self) -> bool {
        match self {
            Self::Exact(name) => host::is_name(name),
            // With the shortest label in place of the wildcard.
            Self::Wildcard(name) => host::is_name(&[b"a.", name].concat()),
            Self::Every => true,
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(&String::from_utf8_lossy(name)),
            Self::Wildcard(name) => write!(f, "*.{}", String::from_utf8_lossy(name)),
            Self::Every => f.write_str("*"),
        }
    }
}

fn find_in<'t, H: RequestHead, T: Tally>(
    hosts: &'t ByName,
    name: &[u8],
    request: &mut Request<'_, H, T>,
) -> Option<&'t Arc<Route>> {
    if hosts.is_empty() {
        return None;
    }
    request.tally.probe();
    hosts.get(name)?.find(request)
}
