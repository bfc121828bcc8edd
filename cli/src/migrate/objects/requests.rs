//! Which requests are for whom, as far as a report has to know.

use wakegate_api::http_add_on::{HostPattern, Requests};

/// What the paths of a route's rule are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// This one.
    Exact(String),
    /// All that begin with it, by whole segments. Begins with one `/` and ends with none.
    Prefix(String),
    /// Nobody can say without having one.
    Unknown,
}

impl Path {
    pub(crate) fn prefix(text: &str) -> Self {
        Self::Prefix(format!("/{}", text.trim_matches('/')))
    }
}

/// Whether every host of `inner` is one of `outer`.
pub(crate) fn covers(outer: &HostPattern, inner: &HostPattern) -> bool {
    match (outer, inner) {
        (HostPattern::Any, _) => true,
        (HostPattern::Exact(_) | HostPattern::Below(_), HostPattern::Any)
        | (HostPattern::Exact(_), HostPattern::Below(_)) => false,
        (HostPattern::Exact(outer), HostPattern::Exact(inner)) => outer == inner,
        (HostPattern::Below(outer), HostPattern::Exact(inner)) => is_below(inner, outer),
        (HostPattern::Below(outer), HostPattern::Below(inner)) => {
            inner == outer || is_below(inner, outer)
        }
    }
}

/// Whether some host is of both.
pub(crate) fn overlap(one: &HostPattern, other: &HostPattern) -> bool {
    covers(one, other) || covers(other, one)
}

/// Whether all paths of `inner` begin with `prefix`.
pub(crate) fn path_covers(prefix: &str, inner: &Path) -> bool {
    match inner {
        Path::Exact(path) | Path::Prefix(path) => is_segment_prefix(prefix, path),
        Path::Unknown => prefix == "/",
    }
}

/// Whether some path of `path` begins with `prefix`.
pub(crate) fn path_overlap(prefix: &str, path: &Path) -> bool {
    match path {
        Path::Exact(path) => is_segment_prefix(prefix, path),
        Path::Prefix(path) => is_segment_prefix(prefix, path) || is_segment_prefix(path, prefix),
        Path::Unknown => true,
    }
}

/// Whether two objects are for the same requests in part: a host, a path and all headers are the same.
pub(crate) fn same(one: &Requests, other: &Requests) -> bool {
    let headers = |requests: &Requests| {
        let mut headers = requests.headers.clone();
        headers.sort();
        headers
    };
    one.hosts.iter().any(|host| other.hosts.contains(host))
        && one
            .path_prefixes
            .iter()
            .any(|path| other.path_prefixes.contains(path))
        && headers(one) == headers(other)
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn is_segment_prefix(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_cover_each_other_from_the_general_to_the_special() {
        let host = |text| HostPattern::parse(text).unwrap();
        for (outer, inner, expected) in [
            ("*", "a.test", true),
            ("a.test", "*", false),
            ("a.test", "A.test", true),
            ("*.a.test", "x.y.a.test", true),
            ("*.a.test", "a.test", false),
            ("*.a.test", "xa.test", false),
            ("*.test", "*.a.test", true),
            ("*.a.test", "*.test", false),
            ("*.a.test", "*.a.test", true),
        ] {
            assert_eq!(
                covers(&host(outer), &host(inner)),
                expected,
                "{outer} {inner}"
            );
        }
        assert!(overlap(&host("*.a.test"), &host("*.test")));
        assert!(!overlap(&host("*.a.test"), &host("b.test")));
    }

    #[test]
    fn paths_go_by_segments() {
        assert!(path_covers("/api", &Path::prefix("/api/v1/")));
        assert!(!path_covers("/api", &Path::prefix("/apis")));
        assert!(!path_covers("/api", &Path::prefix("/")));
        assert!(path_overlap("/api", &Path::prefix("/")));
        assert!(!path_overlap("/api", &Path::Exact("/".to_owned())));
        assert!(path_covers("/", &Path::Unknown));
        assert!(path_overlap("/api", &Path::Unknown));
    }
}
