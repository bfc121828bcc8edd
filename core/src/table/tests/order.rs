//! Which of two routes of the same host and path comes first.

use super::*;

#[test]
fn of_as_many_headers_more_values_come_before_age() {
    let value = || ValueMatch::Exact("1".to_owned());
    let pattern = || ValueMatch::Regex(Regex::new("[0-9]").unwrap());
    let with = |id: &str, created_ms, x, y| Route {
        created_ms,
        headers: vec![header("x", x), header("y", y)],
        ..route(id, "*")
    };
    let ordered = [
        Route {
            headers: ["x", "x", "x"]
                .map(|name| header(name, ValueMatch::Present))
                .into(),
            created_ms: 9,
            ..route("K/n/three/0/0", "*")
        },
        with("K/n/two-values/0/0", 8, value(), pattern()),
        with("K/n/a-value/0/0", 3, ValueMatch::Present, value()),
        with("K/n/a-pattern/0/0", 4, pattern(), ValueMatch::Present),
        with("K/n/none/0/0", 1, ValueMatch::Present, ValueMatch::Present),
    ];
    let get = Get(vec![("x", b"1"), ("y", b"1")]);
    let mut table = table(ordered.iter().rev().cloned().collect());
    for route in ordered {
        let found = table.lookup(b"h", b"/", &get);
        assert_eq!(found.map(|found| &found.id), Some(&route.id));
        table.apply(vec![], &[route.id]);
    }
}

#[test]
fn method_then_headers_then_query_then_age_then_name_decide() {
    let x = || vec![header("x", ValueMatch::Present)];
    let q = || {
        vec![QueryMatch {
            name: "q".to_owned(),
            value: "1".to_owned(),
        }]
    };
    let ordered = vec![
        Route {
            method: Some("GET".to_owned()),
            created_ms: 9,
            ..route("K/n/method/0/0", "*")
        },
        Route {
            headers: x(),
            query: q(),
            created_ms: 8,
            ..route("K/n/both/0/0", "*")
        },
        Route {
            headers: x(),
            created_ms: 7,
            ..route("K/n/header/0/0", "*")
        },
        Route {
            query: q(),
            created_ms: 6,
            ..route("K/n/query/0/0", "*")
        },
        Route {
            created_ms: 1,
            ..route("K/n/older/0/0", "*")
        },
        Route {
            created_ms: 2,
            ..route("K/n/a/9/0", "*")
        },
        Route {
            created_ms: 2,
            ..route("K/n/a/10/0", "*")
        },
        Route {
            created_ms: 2,
            ..route("K/n/b/0/0", "*")
        },
    ];
    let mut table = table(ordered.iter().rev().cloned().collect());
    for route in ordered {
        check(&table, "h", "/?q=1", Some(route.id.as_str()));
        table.apply(vec![], &[route.id]);
    }
    assert_eq!(table, RouteTable::default());
}
