//! A route: a match, and what belongs to it.

use std::{fmt, sync::Arc};

use crate::{BackendId, Key, Policy, Regex, RequestHead};

/// `Kind/namespace/name/rule/match`: unique in a table, the same for the same object on every replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(Arc<str>);

/// A match (hosts, path, method, headers, query) and what belongs to it.
///
/// A rule with several matches is several routes. Precedence is in [`RouteTable`](crate::RouteTable).
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name.
    pub id: RouteId,
    /// When its object was made, milliseconds since the Unix epoch: the older wins.
    pub created_ms: u64,
    /// It counts before all of its hosts that are not listed, and among those that are by its object's age and its place
    /// there, however specific it is: so Envoy goes through a virtual host that is written down, as Istio's `VirtualService`
    /// is.
    pub listed: bool,
    /// Any of these; empty is every host.
    pub hosts: Vec<HostMatch>,
    /// The path, without the query, as the filter receives it.
    pub path: PathMatch,
    /// The method, upper case; none is every method.
    pub method: Option<String>,
    /// All of these.
    pub headers: Vec<HeaderMatch>,
    /// All of these.
    pub query: Vec<QueryMatch>,
    /// The backends, by weight. A route without any is passed on and counted nowhere.
    pub targets: Vec<Target>,
    /// How it holds. Shared, because most routes have the same.
    pub policy: Arc<Policy>,
}

/// A host that a route is for. Lower case, no port, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostMatch {
    /// This host alone.
    Exact(String),
    /// `*.` and this: one label or more stand before it. Held without the `*.`.
    Suffix(String),
    /// `*.` and this, with exactly one label before it, as Ingress has it. Held without the `*.`.
    SingleLabel(String),
}

/// A path that a route is for. Nothing is decoded: this is what Envoy's own routing compares.
#[derive(Clone, Debug, PartialEq)]
pub enum PathMatch {
    /// This path alone.
    Exact(String),
    /// By whole segments: `/api` is a prefix of `/api` and `/api/v1`, not of `/apis`. `/` is every path.
    Prefix(String),
    /// The whole path.
    Regex(Regex),
}

/// A header that a route asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderMatch {
    /// Lower case.
    pub name: String,
    /// What its value must be.
    pub value: ValueMatch,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueMatch {
    /// This, byte for byte.
    Exact(String),
    /// There, whatever it is.
    Present,
    /// The whole value.
    Regex(Regex),
}

/// A query parameter that a route asks for. The first of that name counts, as Gateway API has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryMatch {
    /// Its name, case-sensitive, nothing decoded.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A backend of a route, and the key that its demand is counted under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The backend.
    pub backend: BackendId,
    /// Where its demand is counted.
    pub key: Key,
    /// Its share among the targets of the route.
    pub weight: u32,
}

impl HostMatch {
    /// Whether it is for the host of this name, which is lower case, without port and trailing dot.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let labels = |suffix: &str| {
            let labels = name.strip_suffix(suffix.as_bytes())?.strip_suffix(b".")?;
            (!labels.is_empty()).then_some(labels)
        };
        match self {
            Self::Exact(host) => name == host.as_bytes(),
            Self::Suffix(suffix) => labels(suffix).is_some(),
            Self::SingleLabel(suffix) => labels(suffix).is_some_and(|label| !label.contains(&b'.')),
        }
    }
}

impl HeaderMatch {
    /// Whether a request has it: all values of that name as one list, or one of them alone. Envoy has matched
    /// either, and the KEDA HTTP add-on matches the latter.
    pub(crate) fn is_in(&self, head: &impl RequestHead) -> bool {
        let whole = head.header(&self.name);
        self.matches(whole.as_deref(), head)
    }

    /// The same, for who has the list at hand.
    pub(crate) fn matches(&self, whole: Option<&[u8]>, head: &impl RequestHead) -> bool {
        let is_list = whole.is_some_and(|list| list.contains(&b','));
        let mut is_one = |value: &[u8]| self.value.matches(Some(value));
        self.value.matches(whole) || (is_list && head.has_value(&self.name, &mut is_one))
    }
}

impl ValueMatch {
    /// Whether a value is what it must be; `None` is one that is not there.
    pub fn matches(&self, value: Option<&[u8]>) -> bool {
        value.is_some_and(|value| match self {
            Self::Exact(wanted) => value == wanted.as_bytes(),
            Self::Present => true,
            Self::Regex(regex) => regex.matches(value),
        })
    }
}

impl RouteId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RouteId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
