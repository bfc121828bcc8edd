//! A route, both ways.

use std::sync::Arc;

use wakegate_core::{
    BackendId, HeaderMatch, HostMatch, Key, PathMatch, QueryMatch, Regex, Route, RouteId, Target,
    ValueMatch,
};

use super::{name, policy::to_policy};
use crate::{DecodeError, v1};

impl From<&Route> for v1::Route {
    fn from(route: &Route) -> Self {
        let Route {
            id,
            created_ms,
            listed,
            hosts,
            path,
            method,
            headers,
            query,
            targets,
            policy,
        } = route;
        let path = match path {
            PathMatch::Exact(path) => v1::path_match::Path::Exact(path.clone()),
            PathMatch::Prefix(path) => v1::path_match::Path::Prefix(path.clone()),
            PathMatch::Regex(regex) => v1::path_match::Path::Regex(regex.as_str().to_owned()),
        };
        Self {
            id: id.as_str().to_owned(),
            created_ms: *created_ms,
            listed: *listed,
            hosts: hosts.iter().map(host_text).collect(),
            single_label_wildcards: hosts
                .iter()
                .any(|host| matches!(host, HostMatch::SingleLabel(_))),
            path: Some(v1::PathMatch { path: Some(path) }),
            method: method.clone().unwrap_or_default(),
            headers: headers.iter().map(v1::HeaderMatch::from).collect(),
            query: query.iter().map(v1::QueryMatch::from).collect(),
            targets: targets.iter().map(v1::Target::from).collect(),
            policy: Some(v1::Policy::from(policy.as_ref())),
        }
    }
}

/// As it stands in an object: the wildcard is written out.
pub(super) fn host_text(host: &HostMatch) -> String {
    match host {
        HostMatch::Exact(host) => host.clone(),
        HostMatch::Suffix(suffix) | HostMatch::SingleLabel(suffix) => format!("*.{suffix}"),
    }
}

impl TryFrom<v1::Route> for Route {
    type Error = DecodeError;

    fn try_from(route: v1::Route) -> Result<Self, DecodeError> {
        let id = name("route", "id", &route.id)?;
        let single_label = route.single_label_wildcards;
        let hosts = route.hosts.into_iter();
        let hosts = hosts.map(|host| host_match(id, host, single_label));
        let headers = route
            .headers
            .into_iter()
            .map(|header| header_match(id, header));
        let query = route.query.into_iter().map(|query| query_match(id, query));
        let targets = route
            .targets
            .into_iter()
            .map(|target| to_target(id, &target));
        Ok(Self {
            id: RouteId::from(id),
            created_ms: route.created_ms,
            listed: route.listed,
            hosts: hosts.collect::<Result<_, _>>()?,
            path: path_match(id, route.path)?,
            method: (!route.method.is_empty()).then_some(route.method),
            headers: headers.collect::<Result<_, _>>()?,
            query: query.collect::<Result<_, _>>()?,
            targets: targets.collect::<Result<_, _>>()?,
            policy: Arc::new(to_policy(id, route.policy.unwrap_or_default())?),
        })
    }
}

pub(super) fn host_match(
    of: &str,
    mut host: String,
    single_label: bool,
) -> Result<HostMatch, DecodeError> {
    name(of, "hosts", &host)?;
    host.make_ascii_lowercase();
    Ok(match host.strip_prefix("*.") {
        None => HostMatch::Exact(host),
        Some(suffix) if single_label => HostMatch::SingleLabel(suffix.to_owned()),
        Some(suffix) => HostMatch::Suffix(suffix.to_owned()),
    })
}

fn path_match(of: &str, path: Option<v1::PathMatch>) -> Result<PathMatch, DecodeError> {
    let Some(path) = path.and_then(|path| path.path) else {
        return Err(DecodeError::missing(of, "path"));
    };
    Ok(match path {
        v1::path_match::Path::Exact(path) => PathMatch::Exact(path),
        v1::path_match::Path::Prefix(path) => PathMatch::Prefix(path),
        v1::path_match::Path::Regex(pattern) => PathMatch::Regex(regex(of, &pattern)?),
    })
}

fn regex(of: &str, pattern: &str) -> Result<Regex, DecodeError> {
    Regex::new(pattern).map_err(|source| DecodeError::Regex {
        of: of.to_owned(),
        source,
    })
}

impl From<&HeaderMatch> for v1::HeaderMatch {
    fn from(header: &HeaderMatch) -> Self {
        let value = match &header.value {
            ValueMatch::Exact(value) => v1::header_match::Value::Exact(value.clone()),
            ValueMatch::Present => v1::header_match::Value::Present(true),
            ValueMatch::Regex(regex) => v1::header_match::Value::Regex(regex.as_str().to_owned()),
        };
        Self {
            name: header.name.clone(),
            value: Some(value),
        }
    }
}

pub(super) fn header_match(of: &str, header: v1::HeaderMatch) -> Result<HeaderMatch, DecodeError> {
    let value = match header.value {
        Some(v1::header_match::Value::Exact(value)) => ValueMatch::Exact(value),
        Some(v1::header_match::Value::Regex(pattern)) => ValueMatch::Regex(regex(of, &pattern)?),
        // `present: false` is nothing that any object can say.
        Some(v1::header_match::Value::Present(_)) => ValueMatch::Present,
        None => return Err(DecodeError::missing(of, "headers.value")),
    };
    Ok(HeaderMatch {
        name: name(of, "headers.name", &header.name)?.to_ascii_lowercase(),
        value,
    })
}

impl From<&QueryMatch> for v1::QueryMatch {
    fn from(query: &QueryMatch) -> Self {
        Self {
            name: query.name.clone(),
            value: query.value.clone(),
        }
    }
}

fn query_match(of: &str, query: v1::QueryMatch) -> Result<QueryMatch, DecodeError> {
    name(of, "query.name", &query.name)?;
    Ok(QueryMatch {
        name: query.name,
        value: query.value,
    })
}

impl From<&Target> for v1::Target {
    fn from(target: &Target) -> Self {
        Self {
            backend: target.backend.as_str().to_owned(),
            key: target.key.as_str().to_owned(),
            weight: target.weight,
        }
    }
}

fn to_target(of: &str, target: &v1::Target) -> Result<Target, DecodeError> {
    Ok(Target {
        backend: BackendId::from(name(of, "targets.backend", &target.backend)?),
        key: Key::from(name(of, "targets.key", &target.key)?),
        weight: target.weight,
    })
}

#[cfg(test)]
mod tests {
    use wakegate_core::{NoWake, NoWakeMatch, Policy};

    use super::*;

    fn full_route() -> Route {
        let header = |name: &str, value| HeaderMatch {
            name: name.to_owned(),
            value,
        };
        Route {
            id: RouteId::from("HTTPRoute/shop/web/0/0"),
            created_ms: 7,
            listed: true,
            hosts: vec![
                HostMatch::Exact("shop.example.com".to_owned()),
                HostMatch::Suffix("shop.test".to_owned()),
            ],
            path: PathMatch::Regex(Regex::new("/v[0-9]+").unwrap()),
            method: Some("GET".to_owned()),
            headers: vec![
                header("a", ValueMatch::Exact("1".to_owned())),
                header("b", ValueMatch::Present),
                header("c", ValueMatch::Regex(Regex::new("x+").unwrap())),
            ],
            query: vec![QueryMatch {
                name: "q".to_owned(),
                value: "1".to_owned(),
            }],
            targets: vec![Target {
                backend: BackendId::new("shop", "web", 80),
                key: Key::service("shop", "web"),
                weight: 1,
            }],
            policy: Arc::new(Policy {
                no_wake: vec![
                    NoWake {
                        what: NoWakeMatch::PathPrefix("/healthz".to_owned()),
                        status: 204,
                    },
                    NoWake {
                        what: NoWakeMatch::Method("OPTIONS".to_owned()),
                        status: 200,
                    },
                ],
                ..Policy::default()
            }),
        }
    }

    #[test]
    fn a_route_comes_back_as_it_was_sent() {
        let route = full_route();
        assert_eq!(Route::try_from(v1::Route::from(&route)).unwrap(), route);
        let ingress = Route {
            hosts: vec![HostMatch::SingleLabel("shop.test".to_owned())],
            ..route
        };
        assert_eq!(Route::try_from(v1::Route::from(&ingress)).unwrap(), ingress);
    }

    #[test]
    fn an_error_names_the_route_and_the_field() {
        let check = |change: &dyn Fn(&mut v1::Route), says: &str| {
            let mut route = v1::Route::from(&full_route());
            change(&mut route);
            assert_eq!(Route::try_from(route).unwrap_err().to_string(), says);
        };
        let of = "HTTPRoute/shop/web/0/0";
        check(&|route| route.id.clear(), "route: id is missing");
        check(
            &|route| route.path = None,
            &format!("{of}: path is missing"),
        );
        check(
            &|route| route.hosts.push(String::new()),
            &format!("{of}: hosts is missing"),
        );
        check(
            &|route| route.policy.as_mut().unwrap().overflow_status = 42,
            &format!("{of}: policy.overflow_status is 42, a status is 200 to 599"),
        );
    }
}
