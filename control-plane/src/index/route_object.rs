//! What the index keeps of one object with routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wakegate_api::Settings;
use wakegate_core::{BackendId, HeaderMatch, HostMatch, PathMatch, QueryMatch, Route, ValueMatch};

use super::{
    Origin, ServiceId,
    wake_policy::{InForce, Level},
    zone::Zone,
};
use crate::object::{Finding, ObjectId};

/// What one HTTPRoute, GRPCRoute or Ingress comes to.
#[derive(Debug, Default)]
pub(super) struct RouteObject {
    pub(super) routes: Vec<Placed>,
    /// Where the object belongs: where any of its routes does.
    pub(super) origin: Arc<Origin>,
    /// Every Service that it names: a change of one makes it new.
    pub(super) names: BTreeSet<ServiceId>,
    /// All else that it follows from.
    pub(super) follows: BTreeSet<ObjectId>,
    /// The ports of Services that its routes lead to.
    pub(super) targets: BTreeMap<ServiceId, BTreeSet<u16>>,
    pub(super) settings: Settings,
    /// Whether it says by itself that it is ours.
    pub(super) opts_in: bool,
    /// What policies on it, or on its rules, say of how its backends thaw.
    pub(super) thaws: Vec<SaidOfThaw>,
    /// Where its routes with targets are.
    pub(super) held_zones: BTreeSet<Zone>,
    /// Where its routes without targets are.
    pub(super) passed_zones: BTreeSet<Zone>,
    pub(super) findings: Vec<Finding>,
}

/// A route, where it belongs, and the field that it comes from.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) route: Route,
    pub(super) origin: Arc<Origin>,
    pub(super) field: Arc<str>,
    /// The Services that its rule names, ours or not.
    pub(super) services: Arc<BTreeSet<ServiceId>>,
}

/// A policy in force between a route and a backend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SaidOfThaw {
    pub(super) backend: BackendId,
    pub(super) level: Level,
    pub(super) policy: InForce,
}

/// Gateways, and the hosts that they have for a route.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `namespace/name` of each.
    pub(super) gateways: BTreeSet<String>,
    /// Empty for every host.
    pub(super) hosts: Vec<HostMatch>,
}

/// The requests that a route is for.
#[derive(Clone, Debug)]
pub(super) struct Match {
    /// Its place in its object counts, and not how specific it is.
    pub(super) listed: bool,
    pub(super) hosts: Vec<HostMatch>,
    pub(super) path: PathMatch,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<HeaderMatch>,
    pub(super) query: Vec<QueryMatch>,
}

impl RouteObject {
    /// Whether it leads to one of our backends.
    pub(super) fn is_ours(&self) -> bool {
        !self.targets.is_empty()
    }
}

impl Match {
    /// Every request of these hosts on that path.
    pub(super) fn of(hosts: &[HostMatch], path: PathMatch) -> Self {
        let (method, headers, query) = (None, Vec::new(), Vec::new());
        Self {
            listed: false,
            hosts: hosts.to_vec(),
            path,
            method,
            headers,
            query,
        }
    }
}

/// A header with this value, or with any.
pub(super) fn header(name: &str, value: Option<&str>) -> HeaderMatch {
    let exact = |value: &str| ValueMatch::Exact(value.to_owned());
    HeaderMatch {
        name: name.to_owned(),
        value: value.map_or(ValueMatch::Present, exact),
    }
}

/// A path that counts by whole segments: a slash at its end says nothing.
pub(super) fn prefix(path: &str) -> PathMatch {
    PathMatch::Prefix(segments(path).to_owned())
}

/// The whole segments of a path.
pub(super) fn segments(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    }
}
