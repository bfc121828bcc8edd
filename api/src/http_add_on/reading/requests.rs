//! Which requests are meant.

use std::collections::BTreeSet;

use super::{
    NotInForce,
    error::{Problem, ReadError},
};
use crate::http_add_on::{HeaderMatch, RoutingRule};

/// Requests by host, path and headers: all that is said here must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requests {
    /// Their host is one of these. Never empty: [`HostPattern::Any`] stands for what is not said.
    pub hosts: Vec<HostPattern>,
    /// Their path begins with one of these, by whole segments. Never empty: `/` stands for what is not said.
    /// Each begins with one `/` and ends with none.
    pub path_prefixes: Vec<String>,
    /// They have all of these.
    pub headers: Vec<Header>,
}

/// Hosts of requests, in lower case and without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Every host: `*`, an empty text, or nothing at all.
    Any,
    /// This one.
    Exact(String),
    /// Every host below this one, at any depth, and not itself: `*.example.com` is below `example.com`.
    Below(String),
}

/// A header that a request must have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Header {
    /// In lower case.
    pub name: String,
    /// Its whole value; any for none.
    pub value: Option<String>,
}

const NO_SUCH_PATTERN: &str =
    "no host is like that: a * stands alone, or in front of a name as in *.example.com";

/// The parts of a rule, which the two kinds write differently, with their paths.
pub(super) struct Parts<'a> {
    pub(super) hosts: &'a [String],
    pub(super) hosts_field: String,
    pub(super) paths: Vec<&'a str>,
    pub(super) headers: &'a [HeaderMatch],
    pub(super) headers_field: String,
}

impl HostPattern {
    /// Reads a host as the add-on does, but for its case. `None` where none can be like that.
    pub fn parse(text: &str) -> Option<Self> {
        let host = without_port(text).to_ascii_lowercase();
        if host.is_empty() || host == "*" {
            return Some(Self::Any);
        }
        let (name, is_below) = host
            .strip_prefix("*.")
            .map_or((host.as_str(), false), |name| (name, true));
        if name.is_empty() || name.contains('*') {
            return None;
        }
        let name = name.to_owned();
        Some(if is_below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }
}

impl Requests {
    /// `None` where no request can be meant, which is noted then.
    pub(super) fn read(
        parts: &Parts<'_>,
        notes: &mut Vec<NotInForce>,
    ) -> Result<Option<Self>, ReadError> {
        let mut hosts = Vec::new();
        for (index, text) in parts.hosts.iter().enumerate() {
            if let Some(host) = HostPattern::parse(text) {
                hosts.push(host);
            } else {
                let field = format!("{}[{index}]", parts.hosts_field);
                notes.push(NotInForce::new(field, NO_SUCH_PATTERN));
            }
        }
        let headers = headers(parts)?;
        // A rule of which no host is left means nothing, and not everything.
        if hosts.is_empty() && !parts.hosts.is_empty() {
            return Ok(None);
        }
        let mut path_prefixes: Vec<String> = parts.paths.iter().map(|path| prefix(path)).collect();
        if hosts.is_empty() {
            hosts.push(HostPattern::Any);
        }
        if path_prefixes.is_empty() {
            path_prefixes.push(prefix(""));
        }
        Ok(Some(Self {
            hosts,
            path_prefixes,
            headers,
        }))
    }

    /// The rules of an InterceptorRoute or of a static route, found at `field`.
    pub(super) fn read_all(
        field: &str,
        rules: &[RoutingRule],
        notes: &mut Vec<NotInForce>,
    ) -> Result<Vec<Self>, ReadError> {
        let mut all = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let RoutingRule {
                hosts,
                paths,
                headers,
            } = rule;
            let field = format!("{field}[{index}]");
            if let Some(empty) = paths.iter().position(|path| path.value.is_empty()) {
                let field = format!("{field}.paths[{empty}].value");
                return Err(ReadError::new(field, Problem::Empty));
            }
            let parts = Parts {
                hosts,
                hosts_field: format!("{field}.hosts"),
                paths: paths.iter().map(|path| path.value.as_str()).collect(),
                headers,
                headers_field: format!("{field}.headers"),
            };
            all.extend(Self::read(&parts, notes)?);
        }
        Ok(all)
    }
}

fn headers(parts: &Parts<'_>) -> Result<Vec<Header>, ReadError> {
    let mut seen = BTreeSet::new();
    let mut headers = Vec::new();
    for (index, HeaderMatch { name, value }) in parts.headers.iter().enumerate() {
        let field = || format!("{}[{index}].name", parts.headers_field);
        if name.is_empty() {
            return Err(ReadError::new(field(), Problem::Empty));
        }
        if !seen.insert(name) {
            let name = name.clone();
            return Err(ReadError::new(field(), Problem::TwiceTheHeader { name }));
        }
        headers.push(Header {
            name: name.to_ascii_lowercase(),
            value: value.clone(),
        });
    }
    Ok(headers)
}

/// The add-on cares for no `/` at either end.
fn prefix(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// Without the port, where there is one, and then without the brackets of an IPv6 address, as Go's
/// `net.SplitHostPort` has it: an address without a port stays as it is.
fn without_port(host: &str) -> &str {
    if let Some(inner) = host.strip_prefix('[') {
        return match inner.split_once("]:") {
            Some((address, port)) if !port.contains(':') => address,
            Some(_) | None => host,
        };
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        Some(_) | None => host,
    }
}
