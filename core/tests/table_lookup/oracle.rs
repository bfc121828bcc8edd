//! The rules of a lookup once more, one after the other over all routes, as slow as they please.

use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeSet,
};

use wakegate_core::{HeaderMatch, HostMatch, PathMatch, Route, RouteId, ValueMatch};

use crate::random::Request;

/// The first of the routes that match.
pub(crate) fn lookup<'t>(routes: &'t [Route], request: &Request) -> Option<&'t Route> {
    let host = host(&request.host);
    routes
        .iter()
        .filter(|route| {
            host_rank(route, host.as_deref()).is_some()
                && is_path(&route.path, path(request))
                && is_rest(route, request)
        })
        .min_by(|a, b| {
            let hosts = host_rank(a, host.as_deref()).cmp(&host_rank(b, host.as_deref()));
            hosts.then_with(|| precedence(a, b))
        })
}

/// The method (`:method`) and headers that some route of that host and path names.
pub(crate) fn needed(routes: &[Route], request: &Request) -> BTreeSet<String> {
    let host = host(&request.host);
    routes
        .iter()
        .filter(|route| {
            host_rank(route, host.as_deref()).is_some() && is_path(&route.path, path(request))
        })
        .flat_map(|route| {
            let method = route.method.iter().map(|_| ":method".to_owned());
            method.chain(route.headers.iter().map(|header| header.name.clone()))
        })
        .collect()
}

/// Winner and loser of every equal match of two objects, by loser and winner.
pub(crate) fn conflicts(routes: &[Route]) -> Vec<(RouteId, RouteId)> {
    let mut pairs = BTreeSet::new();
    for loser in routes {
        for host in hosts(loser) {
            let equals = routes.iter().filter(|route| {
                hosts(route).contains(&host) && same(route, loser) && is_possible(host)
            });
            let Some(winner) = equals.min_by(|a, b| precedence(a, b)) else {
                continue;
            };
            if object(winner) != object(loser) {
                pairs.insert((loser.id.clone(), winner.id.clone()));
            }
        }
    }
    pairs
        .into_iter()
        .map(|(loser, winner)| (winner, loser))
        .collect()
}

fn hosts(route: &Route) -> Vec<Option<&HostMatch>> {
    if route.hosts.is_empty() {
        vec![None]
    } else {
        route.hosts.iter().map(Some).collect()
    }
}

fn is_possible(host: Option<&HostMatch>) -> bool {
    let example = match host {
        None => return true,
        Some(HostMatch::Exact(name)) => name.clone(),
        Some(HostMatch::Suffix(name) | HostMatch::SingleLabel(name)) => format!("x.{name}"),
    };
    self::host(example.as_bytes()).as_ref() == Some(&example)
}

fn same(a: &Route, b: &Route) -> bool {
    let path = |route: &Route| match &route.path {
        PathMatch::Exact(path) => ("exact", path.clone()),
        PathMatch::Prefix(path) => ("prefix", path.strip_suffix('/').unwrap_or(path).to_owned()),
        PathMatch::Regex(regex) => ("regex", regex.as_str().to_owned()),
    };
    !a.listed
        && !b.listed
        && path(a) == path(b)
        && a.method == b.method
        && a.headers.iter().all(|header| b.headers.contains(header))
        && b.headers.iter().all(|header| a.headers.contains(header))
        && a.query.iter().all(|query| b.query.contains(query))
        && b.query.iter().all(|query| a.query.contains(query))
}

fn object(route: &Route) -> Vec<&str> {
    route.id.as_str().split('/').take(3).collect()
}

fn host(authority: &[u8]) -> Option<String> {
    let text = String::from_utf8(authority.to_vec())
        .ok()?
        .to_ascii_lowercase();
    let is_port = |port: &str| port.chars().all(|c| c.is_ascii_digit());
    if text.starts_with('[') {
        let (address, rest) = text.split_once(']')?;
        let is_end = rest.is_empty() || (rest.starts_with(':') && is_port(&rest[1..]));
        return is_end.then(|| format!("{address}]"));
    }
    let name = match text.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name.to_owned(),
        Some(_) => return None,
        None => text,
    };
    let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
    let is_name = !name.contains(':') && !name.split('.').any(str::is_empty) && name.len() <= 253;
    is_name.then_some(name)
}

/// Smaller is more specific.
fn host_rank(route: &Route, host: Option<&str>) -> Option<(u8, Reverse<usize>, u8)> {
    let every = route.hosts.is_empty().then_some((2, Reverse(0), 0));
    let named = host.and_then(|host| {
        let ranks = route.hosts.iter().filter_map(|pattern| {
            let labels = |suffix: &str| host.strip_suffix(&format!(".{suffix}")).map(str::to_owned);
            match pattern {
                HostMatch::Exact(name) => (host == name).then_some((0, Reverse(0), 0)),
                _ if host.starts_with('[') => None,
                HostMatch::SingleLabel(suffix) => {
                    let label = labels(suffix)?;
                    (!label.contains('.')).then_some((1, Reverse(suffix.len()), 0))
                }
                HostMatch::Suffix(suffix) => labels(suffix).map(|_| (1, Reverse(suffix.len()), 1)),
            }
        });
        ranks.min()
    });
    named.or(every)
}

fn path(request: &Request) -> &[u8] {
    request.path.split(|byte| *byte == b'?').next().unwrap()
}

fn is_path(pattern: &PathMatch, path: &[u8]) -> bool {
    match pattern {
        PathMatch::Exact(exact) => exact.as_bytes() == path,
        PathMatch::Regex(regex) => regex.matches(path),
        PathMatch::Prefix(prefix) => {
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let with_slash = format!("{prefix}/");
            prefix.is_empty()
                || path == prefix.as_bytes()
                || path.starts_with(with_slash.as_bytes())
        }
    }
}

fn is_rest(route: &Route, request: &Request) -> bool {
    let query = request
        .path
        .splitn(2, |byte| *byte == b'?')
        .nth(1)
        .unwrap_or_default();
    let parameters: Vec<(&[u8], &[u8])> = query
        .split(|byte| *byte == b'&')
        .map(|text| {
            let mut halves = text.splitn(2, |byte| *byte == b'=');
            (halves.next().unwrap(), halves.next().unwrap_or_default())
        })
        .collect();
    let first = |name: &str| {
        parameters
            .iter()
            .find(|(n, _)| *n == name.as_bytes())
            .map(|(_, v)| *v)
    };
    route
        .method
        .as_ref()
        .is_none_or(|method| *method == request.method)
        && route.headers.iter().all(|header| {
            header
                .value
                .matches(request.headers.get(&header.name).map(Vec::as_slice))
        })
        && route
            .query
            .iter()
            .all(|query| first(&query.name) == Some(query.value.as_bytes()))
}

/// Of two routes that match a request on hosts of the same rank.
fn precedence(a: &Route, b: &Route) -> Ordering {
    let is_presence = |header: &&HeaderMatch| header.value == ValueMatch::Present;
    let key = |route: &Route| {
        let path = match &route.path {
            PathMatch::Exact(_) => (0, Reverse(0)),
            PathMatch::Regex(regex) => (1, Reverse(regex.as_str().len())),
            PathMatch::Prefix(prefix) => {
                (2, Reverse(prefix.strip_suffix('/').unwrap_or(prefix).len()))
            }
        };
        (
            path,
            route.method.is_none(),
            (
                Reverse(route.headers.len()),
                route.headers.iter().filter(is_presence).count(),
                Reverse(route.query.len()),
            ),
            route.created_ms,
            named(route),
        )
    };
    let age = |route: &Route| (route.created_ms, named(route));
    match (a.listed, b.listed) {
        (true, true) => age(a).cmp(&age(b)),
        (a_listed, b_listed) => b_listed.cmp(&a_listed).then_with(|| key(a).cmp(&key(b))),
    }
}

/// Name and kind of its object, and its place there.
fn named(route: &Route) -> impl Ord + use<> {
    let id: Vec<&str> = route.id.as_str().split('/').collect();
    let [kind, namespace, name, rule, number] = id[..] else {
        panic!("{}", route.id)
    };
    (
        format!("{namespace}/{name}"),
        kind.to_owned(),
        (rule.parse::<u32>().unwrap(), number.parse::<u32>().unwrap()),
    )
}
