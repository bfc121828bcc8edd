//! Routes that do not get what they ask for, and why.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use super::{
    RouteTable,
    hosts::Name,
    order,
    paths::{Paths, Ranked},
};
use crate::{HeaderMatch, PathMatch, Route, RouteId, ValueMatch};

/// Routes that one route is compared with, beyond those with an equal match: a table of routes by
/// header, each with its own regular expression, must not take time by the square.
const MAX_COMPARED: usize = 64;

/// What a person should know about a route that does not get what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Routes of two objects ask for the same requests.
    Conflict {
        /// The route that comes first: the older object's, else the first by `namespace/name`.
        winner: RouteId,
        /// The route that gets none of them.
        loser: RouteId,
        /// The hosts on which they meet: `*.example.com` is a wildcard, `*` every host.
        hosts: Vec<String>,
    },
    /// No request ever belongs to a route.
    Unreachable {
        /// The route.
        route: RouteId,
        /// Why.
        why: Unreachable,
    },
}

/// Why no request ever belongs to a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unreachable {
    /// On each of its hosts one of these comes first and matches all that it matches.
    Shadowed {
        /// The routes that come first.
        by: Vec<RouteId>,
    },
    /// No request has any of its hosts: each has upper case, a port, a trailing dot, an empty label, more
    /// than 253 bytes, or is an IPv6 address without brackets.
    Host,
    /// No request has its path: what a path is compared with ends before the `?`.
    Path,
}

impl Finding {
    /// The route that does not get what it asks for.
    pub fn route(&self) -> &RouteId {
        match self {
            Self::Conflict { loser, .. } => loser,
            Self::Unreachable { route, .. } => route,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict {
                winner,
                loser,
                hosts,
            } => {
                let hosts = hosts.join(", ");
                write!(
                    f,
                    "{loser} asks for the same requests as {winner}, which comes first, on {hosts}"
                )
            }
            Self::Unreachable { route, why } => write!(f, "{route} gets no request: {why}"),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shadowed { by } => {
                let by: Vec<&str> = by.iter().map(RouteId::as_str).collect();
                write!(f, "all that it matches belongs to {}", by.join(", "))
            }
            Self::Host => f.write_str("no request has any of its hosts as they are written"),
            Self::Path => f.write_str("no path has a question mark, where the query begins"),
        }
    }
}

impl<'t> From<&'t ValueMatch> for Value<'t> {
    fn from(value: &'t ValueMatch) -> Self {
        match value {
            ValueMatch::Exact(value) => Self::Exact(value),
            ValueMatch::Present => Self::Present,
            ValueMatch::Regex(regex) => Self::Regex(regex.as_str()),
        }
    }
}

/// What one route loses.
#[derive(Default)]
struct Losses<'t> {
    /// By the winner of another object, the hosts.
    conflicts: BTreeMap<&'t RouteId, BTreeSet<String>>,
    /// The hosts on which it gets nothing.
    n_hosts: usize,
    /// The routes that get it instead.
    to: BTreeSet<&'t RouteId>,
}

/// By route.
type AllLosses<'t> = BTreeMap<&'t RouteId, Losses<'t>>;

/// Everything that routes of one host and path must have in common for one to leave the other nothing,
/// so that a route is compared with few: pattern, method and query.
type Class<'t> = (Option<&'t str>, Option<&'t str>, Vec<(&'t str, &'t str)>);

/// The headers of a route, the same for the same meaning.
type Headers<'t> = BTreeSet<(&'t str, Value<'t>)>;

/// A [`ValueMatch`] that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value<'t> {
    Exact(&'t str),
    Present,
    Regex(&'t str),
}

/// Whether some worker has both of two routes.
type Meet<'m> = &'m dyn Fn(&RouteId, &RouteId) -> bool;

pub(super) fn findings(table: &RouteTable, meet: Meet<'_>) -> Vec<Finding> {
    let mut losses = AllLosses::new();
    for (host, paths) in table.hosts.iter() {
        if host.is_possible() {
            losses_of_host((host, paths), meet, &mut losses);
        } else {
            for route in routes(paths) {
                losses.entry(&route.id).or_default().n_hosts += 1;
            }
        }
    }
    table
        .iter()
        .flat_map(|route| findings_of_route(route, losses.remove(&route.id).unwrap_or_default()))
        .collect()
}

fn findings_of_route(route: &Route, losses: Losses<'_>) -> Vec<Finding> {
    let conflicts = losses
        .conflicts
        .into_iter()
        .map(|(winner, hosts)| Finding::Conflict {
            winner: winner.clone(),
            loser: route.id.clone(),
            hosts: hosts.into_iter().collect(),
        });
    let n_hosts = route.hosts.iter().collect::<HashSet<_>>().len().max(1);
    let why = if has_no_path(route) {
        Some(Unreachable::Path)
    } else if losses.n_hosts < n_hosts {
        None
    } else if losses.to.is_empty() {
        Some(Unreachable::Host)
    } else {
        let by = losses.to.into_iter().cloned().collect();
        Some(Unreachable::Shadowed { by })
    };
    let unreachable = why.map(|why| Finding::Unreachable {
        route: route.id.clone(),
        why,
    });
    conflicts.chain(unreachable).collect()
}

fn has_no_path(route: &Route) -> bool {
    match &route.path {
        PathMatch::Exact(path) | PathMatch::Prefix(path) => path.contains('?'),
        PathMatch::Regex(_) => false,
    }
}

fn routes(paths: &Paths) -> impl Iterator<Item = &Arc<Route>> {
    let ranked = paths.exact().chain([paths.regexes()]);
    ranked
        .chain(paths.prefixes().map(|(_, routes)| routes))
        .flat_map(Ranked::iter)
}

fn losses_of_host<'t>(
    (host, paths): (Name<'t>, &'t Paths),
    meet: Meet<'_>,
    losses: &mut AllLosses<'t>,
) {
    // A regular expression for everything stands before every prefix. What `.` does not match, a line end
    // and bytes that are not UTF-8, Envoy lets into no path.
    let is_wide =
        |route: &&Arc<Route>| pattern(route).is_some_and(|text| [".*", "/.*"].contains(&text));
    let wide: Vec<&Route> = paths
        .regexes()
        .iter()
        .filter(is_wide)
        .take(MAX_COMPARED)
        .map(|route| &**route)
        .collect();

    for ranked in paths.exact().chain([paths.regexes()]) {
        losses_of_path((host, ranked), &[], meet, losses);
    }
    for (prefix, ranked) in paths.prefixes() {
        // `/` is also a prefix of `*`, which `/.*` does not match.
        let covers = |route: &&Route| prefix.starts_with(b"/") || pattern(route) == Some(".*");
        let wide: Vec<&Route> = wide.iter().copied().filter(covers).collect();
        losses_of_path((host, ranked), &wide, meet, losses);
    }
}

/// `before` come first and match every path of `ranked`.
fn losses_of_path<'t>(
    (host, ranked): (Name<'t>, &'t Ranked),
    before: &[&'t Route],
    meet: Meet<'_>,
    losses: &mut AllLosses<'t>,
) {
    // Of those with an equal match the first, and those that meet none before them.
    let mut seen: HashMap<(Class<'t>, Headers<'t>), Vec<&'t Route>> = HashMap::new();
    let mut wide: HashMap<Class<'t>, Vec<&'t Route>> = HashMap::new();
    for route in ranked.iter().map(|route| &**route) {
        let class = class(route);
        let headers = headers(route);
        let key = (class.clone(), headers);
        let has_wide_header = key
            .1
            .iter()
            .any(|(_, value)| !matches!(value, Value::Exact(_)));
        let firsts = seen.entry(key).or_default();
        let equal = firsts
            .iter()
            .copied()
            .find(|other| meet(&other.id, &route.id));
        if equal.is_none() && firsts.len() < MAX_COMPARED {
            firsts.push(route);
        }
        let mut wider = wide
            .get(&class)
            .into_iter()
            .flatten()
            .chain(before)
            .copied();
        let wider = wider.find(|other| covers(other, route) && meet(&other.id, &route.id));
        if let Some(winner) = wider.or(equal) {
            let losses = losses.entry(&route.id).or_default();
            losses.n_hosts += 1;
            losses.to.insert(&winner.id);
            if let Some(equal) = equal
                && order::object(&equal.id) != order::object(&route.id)
            {
                let hosts = losses.conflicts.entry(&equal.id).or_default();
                hosts.insert(host.to_string());
            }
            continue;
        }
        // One whose headers are all exact leaves nothing only to one with the same.
        if has_wide_header {
            let wide = wide.entry(class).or_default();
            if wide.len() < MAX_COMPARED {
                wide.push(route);
            }
        }
    }
}

/// Whether `a`, whose path does, matches all that `b` matches.
fn covers(a: &Route, b: &Route) -> bool {
    let implies = |given: &HeaderMatch, wanted: &HeaderMatch| {
        given.name == wanted.name
            && match (&wanted.value, &given.value) {
                (ValueMatch::Present, _) => true,
                (ValueMatch::Regex(regex), ValueMatch::Exact(value)) => {
                    regex.matches(value.as_bytes())
                }
                (wanted, given) => wanted == given,
            }
    };
    a.method
        .as_ref()
        .is_none_or(|method| b.method.as_ref() == Some(method))
        && a.query.iter().all(|wanted| b.query.contains(wanted))
        && a.headers
            .iter()
            .all(|wanted| b.headers.iter().any(|given| implies(given, wanted)))
}

fn class(route: &Route) -> Class<'_> {
    let mut query: Vec<_> = route
        .query
        .iter()
        .map(|q| (q.name.as_str(), q.value.as_str()))
        .collect();
    query.sort_unstable();
    query.dedup();
    (pattern(route), route.method.as_deref(), query)
}

fn headers(route: &Route) -> Headers<'_> {
    let headers = route.headers.iter();
    headers
        .map(|header| (header.name.as_str(), Value::from(&header.value)))
        .collect()
}

fn pattern(route: &Route) -> Option<&str> {
    match &route.path {
        PathMatch::Regex(regex) => Some(regex.as_str()),
        PathMatch::Exact(_) | PathMatch::Prefix(_) => None,
    }
}
