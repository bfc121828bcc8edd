//! Which of two routes of the same host and kind of path comes first.

use std::cmp::{Ordering, Reverse};

use crate::{PathMatch, Route, RouteId, ValueMatch};

/// The order of Gateway API v1.5, from the path's length on. Total: only a route and itself are equal.
///
/// Between as many header matches, more on a value come first: the rule of the KEDA HTTP add-on
/// (`pkg/routing/tablememory.go`), whose routes may ask that a header is there, whatever it is. Gateway
/// API has no such match, so that its order stays as it is.
///
/// The length of prefixes is not compared, because those of different length never meet here.
pub(super) fn precedence(a: &Route, b: &Route) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| by_name(&a.id, &b.id))
}

/// `Kind/namespace/name`, the object that a route comes from.
pub(super) fn object(id: &RouteId) -> &str {
    parts(id).0
}

fn rank(route: &Route) -> impl Ord {
    let pattern_bytes = match &route.path {
        PathMatch::Regex(regex) => regex.as_str().len(),
        PathMatch::Exact(_) | PathMatch::Prefix(_) => 0,
    };
    let specific = (
        Reverse(pattern_bytes),
        Reverse(route.method.is_some()),
        Reverse(route.headers.len()),
        Reverse(n_values(route)),
        Reverse(route.query.len()),
    );
    ((!route.listed).then_some(specific), route.created_ms)
}

/// The header matches that ask for a value.
fn n_values(route: &Route) -> usize {
    let asks = |value: &ValueMatch| match value {
        ValueMatch::Exact(_) | ValueMatch::Regex(_) => true,
        ValueMatch::Present => false,
    };
    let headers = route.headers.iter();
    headers.filter(|header| asks(&header.value)).count()
}

/// By `namespace/name`, then kind, then rule and match as numbers.
fn by_name(a: &RouteId, b: &RouteId) -> Ordering {
    let (a_object, a_place) = parts(a);
    let (b_object, b_place) = parts(b);
    let (a_kind, a_name) = a_object.split_once('/').unwrap_or(("", a_object));
    let (b_kind, b_name) = b_object.split_once('/').unwrap_or(("", b_object));
    let places = || {
        let a_numbers = a_place.split('/').map(number);
        a_numbers.cmp(b_place.split('/').map(number))
    };
    (a_name, a_kind)
        .cmp(&(b_name, b_kind))
        .then_with(places)
        // `01` and `1` are one number, but two names.
        .then_with(|| a.cmp(b))
}

/// The object and the place in it: `HTTPRoute/shop/web` and `0/1` of `HTTPRoute/shop/web/0/1`.
fn parts(id: &RouteId) -> (&str, &str) {
    let id = id.as_str();
    let slash = id.match_indices('/').nth(2).map(|(at, _)| at);
    let split = slash.and_then(|at| Some((id.get(..at)?, id.get(at + 1..)?)));
    split.unwrap_or((id, ""))
}

/// Orders digits as the number that they are, however many, and before anything else.
fn number(text: &str) -> (bool, usize, &str) {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        (false, digits.len(), digits)
    } else {
        (true, 0, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_object_then_by_number() {
        let ordered = [
            "HTTPRoute/a-b/web/0/0", // as text: `-` comes before `/`
            "HTTPRoute/a/web/0/0",
            "HTTPRoute/a/web/2/0",
            "HTTPRoute/a/web/2/1",
            "HTTPRoute/a/web/10/0",
            "HTTPRoute/a/web/99999999999999999999999/0",
            "HTTPRoute/a/web/x/0",
            "Ingress/a/web/0/0",
            "HTTPRoute/a/web2/0/0",
        ];
        let ids = ordered.map(RouteId::from);
        for (i, a) in ids.iter().enumerate() {
            for (j, b) in ids.iter().enumerate() {
                assert_eq!(by_name(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn names_of_another_shape_are_ordered_too() {
        let mut ids = ["", "a", "a/b", "a/b/c", "a/b/c/01", "a/b/c/1", "b/b/c"].map(RouteId::from);
        ids.sort_by(by_name);
        for pair in ids.windows(2) {
            assert_eq!(by_name(&pair[0], &pair[1]), Ordering::Less);
        }
        assert_eq!(object(&"a/b/c/01".into()), "a/b/c");
        assert_eq!(object(&"a".into()), "a");
    }
}
