//! Which route a request belongs to.
//!
//! Everything that a lookup needs is prepared when routes change: per host the exact paths, the regular
//! expressions and the prefixes, each in order of precedence. `table/order.rs` has the order.

mod finding;
mod host;
mod hosts;
mod order;
mod paths;
mod request;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeMap, mem, sync::Arc};

use self::{hosts::Hosts, request::Request};
use crate::{Route, RouteId};

pub use self::finding::{Finding, Unreachable};

/// What a lookup may ask beyond host and path.
///
/// Each is a host call in the filter, so each is asked only when a route of that host and path needs it;
/// the method at most once in a lookup, and a header as well (unless the candidates name very many).
pub trait RequestHead {
    /// The method, as received.
    fn method(&self) -> Cow<'_, [u8]>;

    /// The value of the header `name` (lower case), several values joined by a comma, or none when the
    /// request does not have it.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>>;

    /// Whether one of several headers of that name passes the test alone. Asked only where
    /// [`header`](Self::header) gives a list; who never joins any has none to ask.
    fn has_value(&self, _name: &str, _test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

/// The routes, and which of them a request belongs to.
///
/// Among the routes that match a request the first in this order has it, as Gateway API orders them:
///
/// 1. the host: exact before wildcard, of two wildcards the longer (the same wildcard for one label
///    before the one for any depth), every host last;
/// 2. the path: exact, then regular expressions, the longer pattern first, then the longest prefix.
///    Where the regular expressions come is left to implementations: Envoy Gateway has them there too;
/// 3. with a method before without; more headers before fewer, of as many those with more values asked for
///    (as the KEDA HTTP add-on has it; Gateway API cannot ask for less); more query parameters before fewer;
/// 4. the older object, then the alphabetical order of `namespace/name`, then the kind, then the earlier
///    rule and match.
///
/// A route that does not match is no obstacle, however high it stands: the next is tried, on the less
/// specific hosts as well.
///
/// A lookup costs one search in a hash map for the host (a second one if that comes with a port, upper
/// case or a trailing dot), one for each label after which a wildcard may begin, and on each host that has
/// routes one for the path and at most one for each of its segments, whatever the number of routes. What
/// grows with the routes is: the regular expressions of one host, and the routes that differ in method,
/// headers or query alone, which are tried in turn.
///
/// ```
/// # use std::{borrow::Cow, sync::Arc};
/// # use wakegate_core::{HostMatch, PathMatch, Policy, RequestHead, Route, RouteId, RouteTable};
/// struct Get;
/// impl RequestHead for Get {
///     fn method(&self) -> Cow<'_, [u8]> {
///         b"GET".into()
///     }
///     fn header(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
///         None
///     }
/// }
/// let mut table = RouteTable::default();
/// table.apply(
///     vec![Route {
///         id: "HTTPRoute/shop/web/0/0".into(),
///         created_ms: 0,
///         listed: false,
///         hosts: vec![HostMatch::Suffix("example.com".to_owned())],
///         path: PathMatch::Prefix("/cart".to_owned()),
///         method: None,
///         headers: vec![],
///         query: vec![],
///         targets: vec![],
///         policy: Arc::new(Policy::default()),
///     }],
///     &[],
/// );
/// assert!(table.lookup(b"Shop.Example.com.:8443", b"/cart/7?full=1", &Get).is_some());
/// assert!(table.lookup(b"example.com", b"/cart", &Get).is_none());
/// assert!(table.lookup(b"shop.example.com", b"/carts", &Get).is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteTable {
    routes: BTreeMap<RouteId, Arc<Route>>,
    hosts: Hosts,
}

impl RouteTable {
    /// Takes `removed` out, then puts `upserted` in, in place of the routes of the same names.
    ///
    /// Costs in proportion to the change. A route that is equal to the one that is there stays the same
    /// `Arc`.
    pub fn apply(&mut self, upserted: Vec<Route>, removed: &[RouteId]) {
        for id in removed {
            self.remove(id);
        }
        for route in upserted {
            if self.get(&route.id).is_none_or(|present| **present != route) {
                self.insert(Arc::new(route));
            }
        }
    }

    /// Makes `routes` the whole table; of two with one name the later counts.
    ///
    /// A route that is equal to the one that is there stays the same `Arc`.
    pub fn replace(&mut self, routes: Vec<Route>) {
        let before = mem::take(self);
        for route in routes {
            let present = before.get(&route.id).filter(|present| ***present == route);
            let route = present.map_or_else(|| Arc::new(route), Arc::clone);
            self.insert(route);
        }
    }

    /// Finds the route of a request.
    ///
    /// `host` is the authority as received: in any case, with or without a port or a trailing dot. What is
    /// no name (such as one that is not UTF-8, has an empty label or more than 253 bytes) belongs to the
    /// routes for every host alone. `path` is the `:path` as received; it ends where the query begins.
    pub fn lookup(&self, host: &[u8], path: &[u8], head: &impl RequestHead) -> Option<&Arc<Route>> {
        self.hosts.find(host, &mut Request::new(path, head, ()))
    }

    /// The route of this name.
    pub fn get(&self, id: &RouteId) -> Option<&Arc<Route>> {
        self.routes.get(id)
    }

    /// All routes, ordered by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Route>> {
        self.routes.values()
    }

    /// The number of routes.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// What a person should know about routes that do not get what they ask for, ordered by name.
    ///
    /// Sound but not complete: a route that is named does lose, but a route may be out of reach for reasons
    /// that are not looked for, such as several others that together leave it nothing.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings_among(|_, _| true)
    }

    /// The same of a table that no worker has whole: only routes that `meet` take requests from each other.
    pub fn findings_among(&self, meet: impl Fn(&RouteId, &RouteId) -> bool) -> Vec<Finding> {
        finding::findings(self, &meet)
    }

    fn insert(&mut self, route: Arc<Route>) {
        self.remove(&route.id);
        self.hosts.insert(&route);
        self.routes.insert(route.id.clone(), route);
    }

    fn remove(&mut self, id: &RouteId) {
        if let Some(route) = self.routes.remove(id) {
            self.hosts.remove(&route);
        }
    }
}

/// What `test` says of the name in `authority`, which is as received; none when there is no name in it.
pub(crate) fn with_host_name<T>(authority: &[u8], test: impl FnOnce(&[u8]) -> T) -> Option<T> {
    host::name(authority, &mut None).map(test)
}
