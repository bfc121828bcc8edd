//! A match of a `VirtualService`, in the words of the table.

use std::collections::BTreeSet;

use wakegate_core::{HeaderMatch, HostMatch, PathMatch, QueryMatch, ValueMatch};

use crate::index::{
    gateway_route,
    route_object::{self, Match},
};
use crate::object::{Said, StringMatch, VirtualMatch};

/// What cannot be said in the table, and the way out of it.
const UNTOLD: &str = "requests are not told apart by it: let them have a host, a path, a method or a header of their own";
const ONLY_EXACT: &str = "only `exact` is supported: write a match for each value";

/// A match that makes no route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// It is for sidecars alone, or for gateways that its object does not name.
    OfOthers,
    /// A field that cannot be used, and why.
    Refused(String, String),
}

/// Whether a match is for all gateways of its object, of which `own` are those that it names again.
pub(super) fn of_gateways(
    asked: &VirtualMatch,
    own: &BTreeSet<String>,
    all: &BTreeSet<String>,
) -> Result<(), Skipped> {
    if asked.gateways.is_empty() || own.is_superset(all) {
        Ok(())
    } else if own.is_disjoint(all) {
        Err(Skipped::OfOthers)
    } else {
        let why = "it is for some of the object's gateways alone: give these a VirtualService of their own";
        Err(refused("gateways", why))
    }
}

/// What a match asks for, on these hosts.
pub(super) fn read(asked: &VirtualMatch, hosts: &[HostMatch]) -> Result<Match, Skipped> {
    if !asked.source_labels.is_empty() || asked.source_namespace.is_some() {
        return Err(Skipped::OfOthers);
    }
    for (field, is_there) in [
        ("scheme", asked.scheme.is_some()),
        ("authority", asked.authority.is_some()),
        ("port", asked.port.is_some()),
        ("withoutHeaders", !asked.without_headers.is_empty()),
    ] {
        if is_there {
            return Err(refused(field, UNTOLD));
        }
    }
    let path = path(asked.uri.as_ref(), asked.ignore_uri_case);
    let mut read = Match {
        listed: true,
        ..Match::of(hosts, path.map_err(|why| refused("uri", why))?)
    };
    match asked.method.as_ref().map(StringMatch::said) {
        None => {}
        Some(Said::Exact(method)) => read.method = Some(method.to_owned()),
        Some(Said::Prefix(_) | Said::Regex(_) | Said::Nothing) => {
            return Err(refused("method", ONLY_EXACT));
        }
    }
    for (name, value) in &asked.headers {
        let value = self::value(value).map_err(|why| refused(&format!("headers[{name}]"), why))?;
        let name = name.to_ascii_lowercase();
        read.headers.push(HeaderMatch { name, value });
    }
    for (name, value) in &asked.query_params {
        let Said::Exact(value) = value.said() else {
            return Err(refused(&format!("queryParams[{name}]"), ONLY_EXACT));
        };
        let (name, value) = (name.clone(), value.to_owned());
        read.query.push(QueryMatch { name, value });
    }
    Ok(read)
}

fn refused(field: &str, why: impl Into<String>) -> Skipped {
    Skipped::Refused(field.to_owned(), why.into())
}

/// Istio's prefixes are of bytes, and not of segments.
fn path(uri: Option<&StringMatch>, ignores_case: bool) -> Result<PathMatch, String> {
    let case = if ignores_case { "(?i)" } else { "" };
    match uri.map(StringMatch::said) {
        None | Some(Said::Prefix("/")) => Ok(route_object::prefix("/")),
        Some(Said::Exact(path)) if ignores_case => regex(&format!("{case}{}", escaped(path))),
        Some(Said::Exact(path)) => Ok(PathMatch::Exact(path.to_owned())),
        Some(Said::Prefix(path)) => regex(&format!("{case}{}.*", escaped(path))),
        // The case is ignored of exact paths and prefixes alone.
        Some(Said::Regex(pattern)) => regex(pattern),
        Some(Said::Nothing) => Err("it says none of exact, prefix and regex".to_owned()),
    }
}

fn regex(pattern: &str) -> Result<PathMatch, String> {
    gateway_route::regex(pattern).map(PathMatch::Regex)
}

fn value(asked: &StringMatch) -> Result<ValueMatch, String> {
    let regex = |pattern: &str| gateway_route::regex(pattern).map(ValueMatch::Regex);
    match asked.said() {
        Said::Exact(value) => Ok(ValueMatch::Exact(value.to_owned())),
        Said::Prefix(value) => regex(&format!("{}.*", escaped(value))),
        Said::Regex(pattern) => regex(pattern),
        Said::Nothing => Ok(ValueMatch::Present),
    }
}

/// What means something in a pattern outside of brackets. Not everything else may be escaped: `\<` is where a word begins.
const SPECIAL: &str = r"\.+*?()|[]{}^$";

/// A pattern for this text and nothing else.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for char in text.chars() {
        if SPECIAL.contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use wakegate_core::Regex;

    use super::*;

    fn prefix(text: &str) -> StringMatch {
        StringMatch {
            prefix: Some(text.to_owned()),
            ..StringMatch::default()
        }
    }

    #[test]
    fn a_prefix_is_of_bytes() {
        let PathMatch::Regex(regex) = path(Some(&prefix("/a.b-(c)$")), false).unwrap() else {
            panic!("no regular expression");
        };
        for (path, is_it) in [
            ("/a.b-(c)$", true),
            ("/a.b-(c)$more/x", true),
            ("/aXb-(c)$", false),
            ("/A.b-(c)$", false),
            ("/", false),
        ] {
            assert_eq!(regex.matches(path.as_bytes()), is_it, "{path}");
        }
        assert_eq!(
            path(Some(&prefix("/")), true),
            Ok(PathMatch::Prefix("/".to_owned()))
        );
        let PathMatch::Regex(regex) = path(Some(&prefix("/Api")), true).unwrap() else {
            panic!("no regular expression");
        };
        assert!(regex.matches(b"/aPI/x"));
    }

    #[test]
    fn every_punctuation_can_be_escaped() {
        let all: String = (33..127_u8).map(char::from).collect();
        let regex = Regex::new(&escaped(&all)).unwrap();
        assert!(regex.matches(all.as_bytes()));
    }
}
