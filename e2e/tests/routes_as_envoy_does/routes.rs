//! One table twice: as the control plane pushes it, and as a Gateway's controller writes it into Envoy.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use wakegate_e2e::{NAMESPACE, Service};
use wakegate_wire::v1;

use super::random::{NAMES, Random};

/// The filter's answer for the first route; each has the next. Envoy itself answers nothing from here on.
pub(crate) const FIRST_STATUS: u32 = 305;

/// All below 400, and above 504: what Envoy may answer by itself is left out.
const N_ROUTES: u32 = 90;

const REGEXES: [&str; 6] = [
    "/a.*",
    "/[ab]+(/.*)?",
    "/v[0-9]+/[^/]+",
    ".*b",
    "/(a|ab)/b",
    "/.*%2[fF].*",
];

#[derive(Debug)]
pub(crate) struct Table {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    index: u32,
    /// None is every host.
    host: Option<String>,
    path: Path,
    method: Option<&'static str>,
    /// Names and values; no value is any.
    headers: Vec<(&'static str, Option<&'static str>)>,
    query: Vec<(&'static str, &'static str)>,
}

#[derive(Debug)]
enum Path {
    Exact(String),
    Regex(&'static str),
    Prefix(String),
}

impl Table {
    pub(crate) fn new(random: &Random) -> Self {
        let routes = (0..N_ROUTES).map(|index| Route::new(index, random));
        Self {
            routes: routes.collect(),
        }
    }

    /// For the filter. Nothing may be held, and each route says so with its own status.
    pub(crate) fn update(&self, app: &Service) -> v1::Update {
        v1::Update {
            full: true,
            last: true,
            version: "aa".to_owned(),
            routes: self.routes.iter().map(|route| route.ours(app)).collect(),
            backends: vec![v1::Backend {
                id: app.backend(),
                ..v1::Backend::default()
            }],
            ..v1::Update::default()
        }
    }

    /// For Envoy, which stays with the most specific virtual host: each has the routes of all that are less
    /// specific as well, after its own.
    pub(crate) fn envoy(&self, app: &Service) -> Value {
        let hosts: BTreeSet<_> = self.routes.iter().map(|route| route.host.clone()).collect();
        let hosts = hosts.into_iter().chain([None]).collect::<BTreeSet<_>>();
        let hosts = hosts.iter().map(|host| {
            let host = host.as_deref();
            let covers = |route: &&Route| {
                route
                    .host
                    .as_deref()
                    .is_none_or(|other| covers(other, host))
            };
            let mut routes: Vec<_> = self.routes.iter().filter(covers).collect();
            routes.sort_by_key(|route| route.rank());
            let name = host.unwrap_or("*");
            let routes: Vec<_> = routes.into_iter().map(|route| route.theirs(app)).collect();
            json!({ "name": name, "domains": [name], "routes": routes })
        });
        json!({ "name": "apps", "virtual_hosts": hosts.collect::<Vec<_>>() })
    }
}

/// Whether all requests of `host` belong to `pattern` as well.
fn covers(pattern: &str, host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    match pattern.strip_prefix('*') {
        None => pattern == host,
        // `*.a.test` covers `*.x.a.test` and `x.a.test`.
        Some(suffix) => {
            pattern == host
                || host.trim_start_matches('*').len() > suffix.len() && host.ends_with(suffix)
        }
    }
}

impl Route {
    fn new(index: u32, random: &Random) -> Self {
        let name = random.one(&NAMES);
        let host = match random.below(20) {
            0 => None,
            1..=4 => Some(format!("*.{name}")),
            _ => Some(name.to_owned()),
        };
        let path = match random.below(6) {
            0 => Path::Regex(random.one(&REGEXES)),
            1 | 2 => Path::Exact(match random.plain_path() {
                path if path.is_empty() => "/".to_owned(),
                path => path,
            }),
            _ if host.is_none() => Path::Prefix("/a".to_owned()),
            _ => Path::Prefix(random.plain_path()),
        };
        let headers = ["x-a", "x-b"].into_iter().filter(|_| random.is_rare(6));
        let headers = headers.map(|name| (name, [Some("1"), Some("1,2"), None][random.below(3)]));
        let query = ["q", "r"].into_iter().filter(|_| random.is_rare(8));
        Self {
            index,
            host,
            path,
            method: random.is_rare(5).then(|| random.one(&["GET", "POST"])),
            headers: headers.collect(),
            query: query
                .map(|name| (name, random.one(&["1", "2", ""])))
                .collect(),
        }
    }

    /// Gateway API's order among the routes that a request may have.
    fn rank(&self) -> impl Ord + use<> {
        let host = match &self.host {
            Some(host) if !host.starts_with('*') => (0, Reverse(0)),
            Some(host) => (1, Reverse(host.len())),
            None => (2, Reverse(0)),
        };
        let path = match &self.path {
            Path::Exact(_) => (0, Reverse(0)),
            Path::Regex(regex) => (1, Reverse(regex.len())),
            Path::Prefix(prefix) => (2, Reverse(prefix.len())),
        };
        let counts = (Reverse(self.headers.len()), Reverse(self.query.len()));
        (host, path, self.method.is_none(), counts, self.index)
    }

    fn ours(&self, app: &Service) -> v1::Route {
        use v1::header_match::Value;
        let path = match &self.path {
            Path::Exact(path) => v1::path_match::Path::Exact(path.clone()),
            Path::Regex(regex) => v1::path_match::Path::Regex((*regex).to_owned()),
            Path::Prefix(path) => v1::path_match::Path::Prefix(format!("{path}/")),
        };
        let headers = self.headers.iter().map(|(name, value)| v1::HeaderMatch {
            name: (*name).to_owned(),
            value: Some(value.map_or(Value::Present(true), |value| Value::Exact(value.to_owned()))),
        });
        let query = self.query.iter().map(|(name, value)| v1::QueryMatch {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        });
        v1::Route {
            id: format!("HTTPRoute/{NAMESPACE}/r{}/0/0", self.index),
            created_ms: u64::from(self.index),
            listed: false,
            hosts: self.host.iter().cloned().collect(),
            path: Some(v1::PathMatch { path: Some(path) }),
            method: self.method.unwrap_or_default().to_owned(),
            headers: headers.collect(),
            query: query.collect(),
            targets: vec![v1::Target {
                backend: app.backend(),
                key: format!("service/{NAMESPACE}/{}", app.name),
                weight: 1,
            }],
            policy: Some(v1::Policy {
                hold_timeout_ms: 60_000,
                overflow_status: FIRST_STATUS + self.index,
                ..v1::Policy::default()
            }),
            ..v1::Route::default()
        }
    }

    fn theirs(&self, app: &Service) -> Value {
        let mut found = match &self.path {
            Path::Exact(path) => json!({ "path": path }),
            Path::Regex(regex) => json!({ "safe_regex": { "regex": regex } }),
            Path::Prefix(path) if path.is_empty() => json!({ "prefix": "/" }),
            Path::Prefix(path) => json!({ "path_separated_prefix": path }),
        };
        let exact =
            |name: &str, value: &str| json!({ "name": name, "string_match": { "exact": value } });
        let headers = self.headers.iter().map(|(name, value)| match value {
            Some(value) => exact(name, value),
            None => json!({ "name": name, "present_match": true }),
        });
        let method = self.method.iter().map(|method| exact(":method", method));
        let query = self.query.iter().map(|(name, value)| exact(name, value));
        if let Some(found) = found.as_object_mut() {
            found.insert("headers".to_owned(), headers.chain(method).collect());
            found.insert("query_parameters".to_owned(), query.collect());
        }
        json!({
            "name": format!("r{}", self.index),
            "match": found,
            "route": { "cluster": app.backend() },
        })
    }
}
