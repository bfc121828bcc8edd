//! The rules of a lookup, a case each. `tests/table_lookup.rs` has them all at once, at random.

mod findings;
mod order;
mod work;

use super::*;
use crate::{HeaderMatch, HostMatch, PathMatch, Policy, QueryMatch, Regex, ValueMatch};

/// A GET with these headers.
struct Get(Vec<(&'static str, &'static [u8])>);

impl RequestHead for Get {
    fn method(&self) -> Cow<'_, [u8]> {
        b"GET".into()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let values: Vec<&[u8]> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(&b',').into())
    }

    fn has_value(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.values(name).any(test)
    }
}

impl Get {
    fn values(&self, name: &str) -> impl Iterator<Item = &'static [u8]> {
        let headers = self.0.iter();
        headers.filter_map(move |(known, value)| (*known == name).then_some(*value))
    }
}

/// A route for all requests of `host`: a name, `*.` and a name, `?.` and a name for one label, or `*`.
fn route(id: &str, host: &str) -> Route {
    let hosts = match host.split_at_checked(2) {
        _ if host == "*" => vec![],
        Some(("*.", name)) => vec![HostMatch::Suffix(name.to_owned())],
        Some(("?.", name)) => vec![HostMatch::SingleLabel(name.to_owned())],
        Some(_) | None => vec![HostMatch::Exact(host.to_owned())],
    };
    Route {
        id: id.into(),
        created_ms: 0,
        listed: false,
        hosts,
        path: prefix("/"),
        method: None,
        headers: vec![],
        query: vec![],
        targets: vec![],
        policy: Arc::new(Policy::default()),
    }
}

fn prefix(path: &str) -> PathMatch {
    PathMatch::Prefix(path.to_owned())
}

fn exact(path: &str) -> PathMatch {
    PathMatch::Exact(path.to_owned())
}

fn regex(pattern: &str) -> PathMatch {
    PathMatch::Regex(Regex::new(pattern).unwrap())
}

fn header(name: &str, value: ValueMatch) -> HeaderMatch {
    HeaderMatch {
        name: name.to_owned(),
        value,
    }
}

fn table(routes: Vec<Route>) -> RouteTable {
    let mut table = RouteTable::default();
    table.apply(routes, &[]);
    assert_eq!(table, {
        let mut replaced = RouteTable::default();
        replaced.replace(table.iter().map(|route| (**route).clone()).collect());
        replaced
    });
    table
}

fn check(table: &RouteTable, host: &str, path: &str, expected: Option<&str>) {
    let route = table.lookup(host.as_bytes(), path.as_bytes(), &Get(vec![("x", b"1")]));
    assert_eq!(
        route.map(|route| route.id.as_str()),
        expected,
        "{host} {path}"
    );
}

#[test]
fn more_specific_host_wins() {
    let hosts = ["a.shop.com", "?.shop.com", "*.shop.com", "*.com", "*"];
    let table = table(hosts.map(|host| route(host, host)).into());
    check(&table, "A.SHOP.com.:80", "/", Some("a.shop.com"));
    check(&table, "b.shop.com", "/", Some("?.shop.com"));
    check(&table, "c.b.shop.com", "/", Some("*.shop.com"));
    check(&table, "shop.com", "/", Some("*.com"));
    check(&table, "com", "/", Some("*"));
    check(&table, "[::1]:80", "/", Some("*"));
    check(&table, "", "/", Some("*"));
}

#[test]
fn host_that_is_no_name_gets_no_request_not_even_one_that_is_written_so() {
    for host in ["Shop.com", "shop.com.", "shop.com:80", "a..com", "", "::1"] {
        let mut table = table(vec![
            route("K/a/host/0/0", host),
            route("K/a/every/0/0", "*"),
        ]);
        check(&table, host, "/", Some("K/a/every/0/0"));
        table.apply(vec![], &["K/a/host/0/0".into(), "K/a/every/0/0".into()]);
        assert_eq!(table, RouteTable::default());
    }
}

#[test]
fn host_without_a_matching_route_leaves_the_request_to_the_next() {
    let exact_host = Route {
        path: prefix("/a/b"),
        ..route("exact", "x.shop.com")
    };
    let one_label = Route {
        path: prefix("/a"),
        ..route("one label", "?.shop.com")
    };
    let table = table(vec![exact_host, one_label, route("every", "*")]);
    check(&table, "x.shop.com", "/a/b", Some("exact"));
    check(&table, "x.shop.com", "/a/c", Some("one label"));
    check(&table, "x.shop.com", "/c", Some("every"));
}

#[test]
fn exact_path_then_regex_then_longest_prefix_wins() {
    let paths = [
        exact("/a/b"),
        regex("/a/[b-d]"),
        regex("/a/.*"),
        prefix("/a/b/"),
        prefix("/a"),
        prefix("/"),
    ];
    let with_id = |(at, path): (usize, PathMatch)| Route {
        path,
        ..route(&format!("{at}"), "*")
    };
    let table = table(paths.into_iter().enumerate().map(with_id).collect());
    check(&table, "h", "/a/b?q", Some("0"));
    check(&table, "h", "/a/c", Some("1"));
    check(&table, "h", "/a/b/", Some("2"));
    check(&table, "h", "/a", Some("4"));
    check(&table, "h", "/ab", Some("5"));
    check(&table, "h", "*", Some("5"));
}

#[test]
fn nothing_in_a_path_is_decoded_or_folded() {
    let table = table(vec![Route {
        path: prefix("/a"),
        ..route("a", "*")
    }]);
    for path in ["/%61", "/A", "//a", "/./a", "a"] {
        check(&table, "h", path, None);
    }
    check(&table, "h", "/a/../b", Some("a"));
}

#[test]
fn first_parameter_of_a_name_counts() {
    let query = vec![QueryMatch {
        name: "q".to_owned(),
        value: "1".to_owned(),
    }];
    let table = table(vec![Route {
        query,
        ..route("q", "*")
    }]);
    for (path, is_found) in [
        ("/?q=1", true),
        ("/?a&q=1&q=2", true),
        ("/?q=2&q=1", false),
        ("/?q&q=1", false),
        ("/?qq=1", false),
        ("/?q=1=", false),
        ("/??q=1", false),
        ("/", false),
    ] {
        check(&table, "h", path, is_found.then_some("q"));
    }
}

#[test]
fn headers_that_do_not_match_leave_the_request_to_the_next_route() {
    let is_two = header("x", ValueMatch::Exact("2".to_owned()));
    let is_digit = header("x", ValueMatch::Regex(Regex::new("[0-9]").unwrap()));
    let table = table(vec![
        Route {
            headers: vec![is_two, is_digit.clone()],
            path: exact("/a"),
            ..route("2", "*")
        },
        Route {
            headers: vec![is_digit],
            path: prefix("/a"),
            ..route("digit", "*")
        },
        Route {
            headers: vec![header("y", ValueMatch::Present)],
            ..route("y", "*")
        },
    ]);
    check(&table, "h", "/a", Some("digit"));
    check(&table, "h", "/", None);
}

#[test]
fn bytes_that_are_not_utf8_are_matched_as_bytes() {
    let table = table(vec![
        Route {
            path: regex("/a/.*"),
            ..route("regex", "*.com")
        },
        Route {
            path: prefix("/a"),
            ..route("prefix", "*.com")
        },
        route("every", "*"),
    ]);
    let find = |host: &[u8], path: &[u8]| {
        table
            .lookup(host, path, &Get(vec![]))
            .map(|route| route.id.as_str())
    };
    assert_eq!(find(b"a.com", b"/a/\xff"), Some("prefix"));
    assert_eq!(find(b"\xff.com", b"/a/\xff"), Some("every"));
}

#[test]
fn route_that_did_not_change_stays_the_same() {
    let mut table = table(vec![route("a", "a.com"), route("b", "b.com")]);
    let [a, b] = ["a", "b"].map(|id| Arc::clone(table.get(&id.into()).unwrap()));
    table.apply(vec![route("a", "a.com"), route("b", "*")], &[]);
    assert!(Arc::ptr_eq(&a, table.get(&a.id).unwrap()));
    check(&table, "b.com", "/", Some("b"));
    assert_eq!(b.hosts.len(), 1, "who has the old route keeps it");
    table.replace(vec![route("a", "a.com")]);
    assert!(Arc::ptr_eq(&a, table.get(&a.id).unwrap()));
    assert_eq!(table.len(), 1);
}

#[test]
fn of_a_name_both_removed_and_upserted_the_new_route_stays() {
    let mut table = table(vec![route("a", "a.com")]);
    table.apply(
        vec![route("a", "b.com"), route("a", "c.com")],
        &["a".into(), "z".into()],
    );
    check(&table, "a.com", "/", None);
    check(&table, "b.com", "/", None);
    check(&table, "c.com", "/", Some("a"));
}

#[test]
fn of_several_headers_of_one_name_one_value_is_enough_or_all_as_a_list() {
    let of = |wanted: &str| Route {
        headers: vec![header("x-team", ValueMatch::Exact(wanted.to_owned()))],
        ..route("a", "a.test")
    };
    let both: Get = Get(vec![("x-team", b"red"), ("x-team", b"blue, green")]);
    let finds = |wanted: &str, get: &Get| {
        let mut table = RouteTable::default();
        table.replace(vec![of(wanted)]);
        table.lookup(b"a.test", b"/", get).is_some()
    };
    for (wanted, expected) in [
        ("red", true),
        ("blue, green", true),
        ("red,blue, green", true),
        ("blue", false),
    ] {
        assert_eq!(finds(wanted, &both), expected, "{wanted}");
    }
}
