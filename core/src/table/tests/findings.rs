//! What is said of routes that do not get what they ask for.

use super::*;

fn check(routes: Vec<Route>, expected: &[&str]) {
    let findings: Vec<String> = table(routes)
        .findings()
        .iter()
        .map(Finding::to_string)
        .collect();
    assert_eq!(findings, expected);
}

#[test]
fn routes_that_can_all_be_reached_have_no_findings() {
    check(
        vec![
            route("K/n/a/0/0", "a.com"),
            route("K/n/b/0/0", "*.com"),
            route("K/n/c/0/0", "?.com"),
            Route {
                path: prefix("/a"),
                ..route("K/n/d/0/0", "a.com")
            },
            Route {
                path: exact("/a"),
                ..route("K/n/e/0/0", "a.com")
            },
            Route {
                path: regex("/a.*"),
                ..route("K/n/f/0/0", "a.com")
            },
            Route {
                method: Some("GET".to_owned()),
                ..route("K/n/g/0/0", "a.com")
            },
            Route {
                headers: vec![header("x", ValueMatch::Exact("1".to_owned()))],
                ..route("K/n/h/0/0", "a.com")
            },
            Route {
                headers: vec![header("x", ValueMatch::Present)],
                ..route("K/n/i/0/0", "a.com")
            },
        ],
        &[],
    );
}

#[test]
fn equal_matches_of_two_objects_are_a_conflict_that_the_older_wins() {
    let mut both = route("K/n/old/0/0", "a.com");
    both.hosts.extend(route("", "*.com").hosts);
    let young = Route {
        created_ms: 1,
        path: prefix("/"),
        ..both.clone()
    };
    let young = Route {
        id: "K/n/new/0/0".into(),
        ..young
    };
    let elsewhere = Route {
        created_ms: 2,
        hosts: vec![],
        ..young.clone()
    };
    let half = Route {
        created_ms: 3,
        hosts: route("", "b.com").hosts,
        ..young.clone()
    };
    check(
        vec![both.clone(), young],
        &[
            "K/n/new/0/0 asks for the same requests as K/n/old/0/0, which comes first, on *.com, a.com",
            "K/n/new/0/0 gets no request: all that it matches belongs to K/n/old/0/0",
        ],
    );
    check(vec![both.clone(), elsewhere], &[]);
    let mut partly = half;
    partly.hosts.extend(route("", "a.com").hosts);
    check(
        vec![both, partly],
        &["K/n/new/0/0 asks for the same requests as K/n/old/0/0, which comes first, on a.com"],
    );
}

#[test]
fn rule_that_repeats_an_earlier_one_of_its_object_is_out_of_reach() {
    let path = || prefix("/a");
    check(
        vec![
            Route {
                path: path(),
                ..route("K/n/a/9/0", "*")
            },
            Route {
                path: prefix("/a/"),
                ..route("K/n/a/10/0", "*")
            },
        ],
        &["K/n/a/10/0 gets no request: all that it matches belongs to K/n/a/9/0"],
    );
}

#[test]
fn wider_match_that_comes_first_shadows() {
    let x = |value| vec![header("x", value)];
    let text = |text: &str| ValueMatch::Exact(text.to_owned());
    let digits = ValueMatch::Regex(Regex::new("[0-9]+").unwrap());
    check(
        vec![
            Route {
                headers: x(digits),
                ..route("K/n/a/0/0", "*")
            },
            Route {
                headers: x(text("1")),
                ..route("K/n/b/0/0", "*")
            },
            Route {
                headers: x(text("one")),
                ..route("K/n/c/0/0", "*")
            },
            Route {
                headers: x(ValueMatch::Present),
                ..route("K/n/d/0/0", "*")
            },
            Route {
                headers: x(text("two")),
                ..route("K/n/e/0/0", "*")
            },
        ],
        // Not `e`: more values come first, whatever the name.
        &["K/n/b/0/0 gets no request: all that it matches belongs to K/n/a/0/0"],
    );
}

#[test]
fn regex_for_everything_shadows_every_prefix() {
    check(
        vec![
            Route {
                path: regex("/.*"),
                method: Some("GET".to_owned()),
                ..route("K/n/a/0/0", "*")
            },
            Route {
                path: exact("/a"),
                ..route("K/n/b/0/0", "*")
            },
            Route {
                path: prefix("/a"),
                ..route("K/n/c/0/0", "*")
            },
            Route {
                path: prefix("/a"),
                method: Some("GET".to_owned()),
                ..route("K/n/d/0/0", "*")
            },
            Route {
                path: prefix("/"),
                method: Some("GET".to_owned()),
                ..route("K/n/e/0/0", "*")
            },
        ],
        &["K/n/d/0/0 gets no request: all that it matches belongs to K/n/a/0/0"],
    );
}

#[test]
fn host_or_path_that_no_request_has_is_named() {
    let no_host = "gets no request: no request has any of its hosts as they are written";
    check(
        vec![
            route("K/n/a/0/0", "Shop.com"),
            route("K/n/b/0/0", "*.shop.com."),
            route("K/n/c/0/0", "::1"),
            route("K/n/d/0/0", "[::1]"),
            Route {
                path: exact("/a?b"),
                ..route("K/n/e/0/0", "*")
            },
        ],
        &[
            &format!("K/n/a/0/0 {no_host}"),
            &format!("K/n/b/0/0 {no_host}"),
            &format!("K/n/c/0/0 {no_host}"),
            "K/n/e/0/0 gets no request: no path has a question mark, where the query begins",
        ],
    );
}

#[test]
fn ten_thousand_equal_routes_are_compared_with_few() {
    let by_header = |n: usize| Route {
        headers: vec![header(
            "x",
            ValueMatch::Regex(Regex::new(&format!("a{n}")).unwrap()),
        )],
        ..route(&format!("K/n/{n:05}/0/0"), "*")
    };
    let equal = |n: usize| route(&format!("K/n/{n:05}/1/0"), "*");
    let routes: Vec<Route> = (0..10_000)
        .map(by_header)
        .chain((0..10_000).map(equal))
        .collect();
    assert_eq!(table(routes).findings().len(), 2 * 9_999);
}

#[test]
fn conflict_of_two_that_a_third_shadows_is_told_as_well() {
    check(
        vec![
            Route {
                path: regex(".*"),
                ..route("K/n/a/0/0", "*")
            },
            route("K/n/b/0/0", "*"),
            route("K/n/c/0/0", "*"),
        ],
        &[
            "K/n/b/0/0 gets no request: all that it matches belongs to K/n/a/0/0",
            "K/n/c/0/0 asks for the same requests as K/n/b/0/0, which comes first, on *",
            "K/n/c/0/0 gets no request: all that it matches belongs to K/n/a/0/0",
        ],
    );
}

#[test]
fn routes_that_no_worker_has_both_of_do_not_take_requests_from_each_other() {
    let routes = ["K/n/a/0/0", "K/n/b/0/0", "K/n/c/0/0"].map(|id| route(id, "a.com"));
    let meet = |a: &RouteId, b: &RouteId| {
        let is_a = |id: &RouteId| id.as_str() == "K/n/a/0/0";
        !is_a(a) && !is_a(b)
    };
    let findings: Vec<String> = table(routes.to_vec())
        .findings_among(meet)
        .iter()
        .map(Finding::to_string)
        .collect();
    // `a` comes before both, and is nobody's.
    assert_eq!(
        findings,
        [
            "K/n/c/0/0 asks for the same requests as K/n/b/0/0, which comes first, on a.com",
            "K/n/c/0/0 gets no request: all that it matches belongs to K/n/b/0/0",
        ]
    );
}
