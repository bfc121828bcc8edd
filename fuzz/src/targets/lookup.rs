//! What a look-up finds, held against the rules one after the other.

use std::{borrow::Cow, collections::BTreeMap};

use wakegate_core::{HostMatch, PathMatch, RequestHead, Route, RouteTable, ValueMatch};

use super::ensure;
use crate::{oracle, random::Request};

/// A request that is asked as the filter asks.
pub(super) struct Head<'r>(pub(super) &'r Request);

impl RequestHead for Head<'_> {
    fn method(&self) -> Cow<'_, [u8]> {
        self.0.method.as_bytes().into()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.0.headers.get(name).map(Cow::from)
    }
}

impl wakegate_core::Request for Head<'_> {
    fn host(&self) -> Cow<'_, [u8]> {
        Cow::from(&self.0.host)
    }

    fn path(&self) -> Cow<'_, [u8]> {
        Cow::from(&self.0.path)
    }

    fn cluster(&self) -> Option<Cow<'_, [u8]>> {
        Some(b"shop/web/80".into())
    }
}

/// Checks that the table finds what the rules say; returns whether that is a route.
pub(super) fn agree(table: &RouteTable, request: &Request) -> Result<bool, String> {
    let found = table.lookup(&request.host, &request.path, &Head(request));
    let routes: Vec<Route> = table.iter().map(|route| Route::clone(route)).collect();
    // The rules are only for names as the control plane makes them.
    if routes.iter().all(|route| is_named(route.id.as_str())) {
        let expected = oracle::lookup(&routes, request);
        let (found, expected) = (
            found.map(|route| &route.id),
            expected.map(|route| &route.id),
        );
        ensure(found == expected, || {
            format!("{request:?} finds {found:?} and not {expected:?}")
        })?;
    }
    Ok(found.is_some())
}

/// `Kind/namespace/name/rule/match`.
fn is_named(id: &str) -> bool {
    let parts: Vec<_> = id.split('/').collect();
    let is_number = |text: &str| text.len() < 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    match parts.as_slice() {
        [_, _, _, rule, number] => [rule, number]
            .iter()
            .all(|text| is_number(text) && !text.is_empty()),
        _ => false,
    }
}

/// Requests that some route may be for.
pub(super) fn requests_for(route: &Route) -> Vec<Request> {
    let hosts = route.hosts.iter().map(|host| match host {
        HostMatch::Exact(name) => name.to_ascii_uppercase(),
        HostMatch::Suffix(name) | HostMatch::SingleLabel(name) => format!("x.{name}:80"),
    });
    let path = match &route.path {
        PathMatch::Exact(path) => format!("{path}?q=1"),
        PathMatch::Prefix(path) => format!("{path}/x?q=1"),
        PathMatch::Regex(regex) => format!("{}?q=1", regex.as_str()),
    };
    let headers = route.headers.iter().map(|header| {
        let value = match &header.value {
            ValueMatch::Exact(value) => value.clone(),
            ValueMatch::Present | ValueMatch::Regex(_) => "a".to_owned(),
        };
        (header.name.clone(), value.into_bytes())
    });
    let headers: BTreeMap<_, _> = headers.collect();
    let requests = hosts.chain(["other.".to_owned()]).map(|host| Request {
        host: host.into_bytes(),
        path: path.clone().into_bytes(),
        method: route.method.clone().unwrap_or_else(|| "GET".to_owned()),
        headers: headers.clone(),
    });
    requests.take(4).collect()
}
