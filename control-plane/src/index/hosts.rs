//! Host names of objects, and which of them two have in common.

use wakegate_core::HostMatch;

/// A host as an object has it; why it is none.
pub(super) fn host(text: &str, wildcard: fn(String) -> HostMatch) -> Result<HostMatch, String> {
    let host = text.to_ascii_lowercase();
    let (is_wildcard, name) = match host.strip_prefix("*.") {
        Some(suffix) => (true, suffix.to_owned()),
        None => (false, host),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if !name.split('.').all(is_label) {
        return Err(format!("{text:?} is no host name; it is passed over"));
    }
    Ok(if is_wildcard {
        wildcard(name)
    } else {
        HostMatch::Exact(name)
    })
}

/// The hosts of a route that a listener takes, in the route's order; none where they share no host.
/// On either side, no host at all is every host.
pub(super) fn common(route: &[HostMatch], listener: Option<&HostMatch>) -> Option<Vec<HostMatch>> {
    let Some(listener) = listener else {
        return Some(route.to_vec());
    };
    if route.is_empty() {
        return Some(vec![listener.clone()]);
    }
    let both = route.iter().filter_map(|host| narrower(host, listener));
    let both: Vec<HostMatch> = both.cloned().collect();
    (!both.is_empty()).then_some(both)
}

/// Adds hosts to others. No host at all is every host, and stays so.
pub(super) fn add(all: &mut Vec<HostMatch>, more: Vec<HostMatch>) {
    if all.is_empty() || more.is_empty() {
        all.clear();
        return;
    }
    for host in more {
        if !all.contains(&host) {
            all.push(host);
        }
    }
}

/// Whether they are the same, in whatever order.
pub(super) fn are_same(a: &[HostMatch], b: &[HostMatch]) -> bool {
    a.len() == b.len() && a.iter().all(|host| b.contains(host))
}

/// The one of two hosts that the other covers.
fn narrower<'h>(a: &'h HostMatch, b: &'h HostMatch) -> Option<&'h HostMatch> {
    let covers = |wide: &HostMatch, host: &HostMatch| match (wide, host) {
        (HostMatch::Suffix(wide), HostMatch::Exact(host) | HostMatch::Suffix(host)) => host
            .strip_suffix(wide.as_str())
            .is_some_and(|rest| rest.ends_with('.')),
        (HostMatch::Exact(_) | HostMatch::SingleLabel(_), _)
        | (HostMatch::Suffix(_), HostMatch::SingleLabel(_)) => false,
    };
    if a == b || covers(b, a) {
        Some(a)
    } else {
        covers(a, b).then_some(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(host: &HostMatch) -> String {
        match host {
            HostMatch::Exact(name) => name.clone(),
            HostMatch::Suffix(name) | HostMatch::SingleLabel(name) => format!("*.{name}"),
        }
    }

    #[track_caller]
    fn check(route: &[&str], listener: Option<&str>, expected: Option<&[&str]>) {
        let parse = |text: &&str| host(text, HostMatch::Suffix).unwrap();
        let route: Vec<_> = route.iter().map(parse).collect();
        let both = common(&route, listener.as_ref().map(parse).as_ref());
        let both: Option<Vec<_>> = both.map(|both| both.iter().map(text).collect());
        let expected = expected.map(|hosts| hosts.iter().map(|host| (*host).to_owned()).collect());
        assert_eq!(both, expected, "{route:?} {listener:?}");
    }

    #[test]
    fn a_route_and_a_listener_share_what_one_says_and_the_other_covers() {
        check(&[], None, Some(&[]));
        check(&["a.test"], None, Some(&["a.test"]));
        check(&[], Some("a.test"), Some(&["a.test"]));
        check(&[], Some("*.test"), Some(&["*.test"]));
        check(&["A.test"], Some("a.test"), Some(&["a.test"]));
        check(&["a.test"], Some("b.test"), None);
        check(
            &["b.a.test", "x.other"],
            Some("*.test"),
            Some(&["b.a.test"]),
        );
        check(&["test"], Some("*.test"), None);
        check(&["latest"], Some("*.test"), None);
        check(&["*.test"], Some("b.a.test"), Some(&["b.a.test"]));
        check(&["*.test"], Some("*.a.test"), Some(&["*.a.test"]));
        check(&["*.a.test"], Some("*.test"), Some(&["*.a.test"]));
        check(&["*.test"], Some("*.test"), Some(&["*.test"]));
        check(&["*.a.test"], Some("*.b.test"), None);
    }

    #[test]
    fn hosts_add_up_and_every_host_stays_every_host() {
        let a = || vec![HostMatch::Exact("a".to_owned())];
        let b = || vec![HostMatch::Suffix("b".to_owned())];
        for (first, second, expected) in [
            (a(), b(), [a(), b()].concat()),
            (a(), a(), a()),
            (a(), Vec::new(), Vec::new()),
            (Vec::new(), a(), Vec::new()),
        ] {
            let mut all = first.clone();
            add(&mut all, second.clone());
            assert_eq!(all, expected, "{first:?} {second:?}");
        }
    }
}
