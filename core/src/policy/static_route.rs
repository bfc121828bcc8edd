//! Requests of a route that are answered with what its object says.

use std::sync::Arc;

use super::StaticAnswer;
use crate::{HeaderMatch, HostMatch, RequestHead, table};

/// Requests that are never counted and wake nothing, and the answer to them.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticRoute {
    /// Any of these; empty is every request of the route.
    pub requests: Vec<RequestMatch>,
    /// The answer while the backend is asleep.
    pub answer: Arc<StaticAnswer>,
    /// Whether it is the answer as well while the backend is ready; else the request passes then.
    pub always: bool,
}

/// Which requests: those that are all three. An empty list is everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestMatch {
    /// The host is any of these.
    pub hosts: Vec<HostMatch>,
    /// The path, without the query, starts with any of these, by whole segments. Nothing is decoded, as in
    /// routes.
    pub path_prefixes: Vec<String>,
    /// The headers are all of these.
    pub headers: Vec<HeaderMatch>,
}

impl StaticRoute {
    /// The most that a policy has: they are tried in turn, for each request of its route.
    pub const MAX: usize = 100;

    /// Whether it is for this request. `authority` and `path` are as received.
    pub(crate) fn is_for(&self, authority: &[u8], path: &[u8], head: &impl RequestHead) -> bool {
        let mut requests = self.requests.iter();
        self.requests.is_empty() || requests.any(|request| request.matches(authority, path, head))
    }
}

impl RequestMatch {
    fn matches(&self, authority: &[u8], path: &[u8], head: &impl RequestHead) -> bool {
        self.has_path(path)
            && self.has_host(authority)
            && self.headers.iter().all(|wanted| wanted.is_in(head))
    }

    fn has_host(&self, authority: &[u8]) -> bool {
        let is_host = |name: &[u8]| self.hosts.iter().any(|host| host.matches(name));
        self.hosts.is_empty() || table::with_host_name(authority, is_host).unwrap_or(false)
    }

    fn has_path(&self, path: &[u8]) -> bool {
        let is_prefix = |prefix: &String| is_segment_prefix(prefix.as_bytes(), path);
        self.path_prefixes.is_empty() || self.path_prefixes.iter().any(is_prefix)
    }
}

/// `/api` and `/api/` are a prefix of `/api`, `/api/` and `/api/v1`, not of `/apis`.
pub(crate) fn is_segment_prefix(prefix: &[u8], path: &[u8]) -> bool {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    let path = path.split(|byte| *byte == b'?').next().unwrap_or(path);
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::ValueMatch;

    struct Head;

    impl RequestHead for Head {
        fn method(&self) -> Cow<'_, [u8]> {
            b"GET".into()
        }

        fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
            (name == "x").then(|| b"1".into())
        }
    }

    fn check(request: &RequestMatch, host: &str, path: &str, expected: bool) {
        let found = request.matches(host.as_bytes(), path.as_bytes(), &Head);
        assert_eq!(found, expected, "{request:?} {host} {path}");
    }

    #[test]
    fn a_prefix_ends_with_a_segment() {
        for (prefix, path, is) in [
            ("/healthz", "/healthz", true),
            ("/healthz", "/healthz?full", true),
            ("/healthz/", "/healthz", true),
            ("/healthz", "/healthz/live", true),
            ("/healthz", "/healthzz", false),
            ("/", "/any", true),
        ] {
            assert_eq!(
                is_segment_prefix(prefix.as_bytes(), path.as_bytes()),
                is,
                "{prefix} {path}"
            );
        }
    }

    #[test]
    fn a_host_is_any_of_those_that_are_named() {
        let hosts = || RequestMatch {
            hosts: vec![
                HostMatch::Exact("shop.test".to_owned()),
                HostMatch::Suffix("any.test".to_owned()),
                HostMatch::SingleLabel("one.test".to_owned()),
            ],
            ..RequestMatch::default()
        };
        for (host, expected) in [
            ("Shop.TEST.:8080", true),
            ("a.shop.test", false),
            ("a.b.any.test", true),
            ("any.test", false),
            (".any.test", false),
            ("a.one.test", true),
            ("a.b.one.test", false),
            ("xone.test", false),
            ("", false),
            ("[::1]", false),
        ] {
            check(&hosts(), host, "/", expected);
            check(&RequestMatch::default(), host, "/", true);
        }
    }

    #[test]
    fn host_path_and_headers_must_all_be_met() {
        let header = |value: &str| HeaderMatch {
            name: "x".to_owned(),
            value: ValueMatch::Exact(value.to_owned()),
        };
        let request = |headers| RequestMatch {
            hosts: vec![HostMatch::Exact("a".to_owned())],
            path_prefixes: vec!["/b".to_owned(), "/c".to_owned()],
            headers,
        };
        check(&request(vec![]), "a", "/c/d", true);
        check(&request(vec![header("1")]), "a", "/b", true);
        check(&request(vec![header("1")]), "b", "/b", false);
        check(&request(vec![header("1")]), "a", "/d", false);
        check(&request(vec![header("1"), header("2")]), "a", "/b", false);
    }

    #[test]
    fn one_of_several_requests_is_enough_and_none_at_all_is_every_request() {
        let with = |requests| StaticRoute {
            requests,
            answer: Arc::new(StaticAnswer {
                status: 200,
                headers: vec![],
                body: super::super::Body::Text(String::new()),
            }),
            always: false,
        };
        let path = |path: &str| RequestMatch {
            path_prefixes: vec![path.to_owned()],
            ..RequestMatch::default()
        };
        assert!(with(vec![]).is_for(b"a", b"/", &Head));
        assert!(with(vec![path("/a"), path("/b")]).is_for(b"a", b"/b", &Head));
        assert!(!with(vec![path("/a"), path("/b")]).is_for(b"a", b"/c", &Head));
    }
}
