//! What a policy answers itself, both ways: what is kept, shared and refused.

use std::{error::Error as _, sync::Arc, time::Duration};

use wakegate_core::{
    Body, File, HeaderMatch, HostMatch, PathMatch, Placeholder, Policy, RequestMatch, Route,
    RouteId, StaticAnswer, StaticRoute, ValueMatch,
};

use super::Assembler;
use crate::v1;

fn text(status: u16, text: &str) -> Arc<StaticAnswer> {
    Arc::new(StaticAnswer {
        status,
        headers: vec![("Retry-After".to_owned(), "5".to_owned())],
        body: Body::Text(text.to_owned()),
    })
}

fn pages() -> Arc<StaticAnswer> {
    let file = |kind: Option<&str>, text: &str| File {
        content_type: kind.map(str::to_owned),
        text: text.to_owned(),
    };
    let files = [
        ("a.css".to_owned(), file(Some("text/css"), "a{}")),
        ("index.html".to_owned(), file(None, "")),
    ];
    Arc::new(StaticAnswer {
        status: 200,
        headers: vec![],
        body: Body::ByPath(files.into()),
    })
}

fn policy() -> Policy {
    Policy {
        request_timeout: Some(Duration::from_millis(2_500)),
        placeholder: Some(Placeholder {
            answer: text(202, "soon"),
            overflow_only: true,
        }),
        static_routes: vec![
            StaticRoute {
                requests: vec![
                    RequestMatch {
                        hosts: vec![
                            HostMatch::Exact("a.test".to_owned()),
                            HostMatch::Suffix("b.test".to_owned()),
                        ],
                        path_prefixes: vec!["/a".to_owned(), "/b".to_owned()],
                        headers: vec![HeaderMatch {
                            name: "x".to_owned(),
                            value: ValueMatch::Present,
                        }],
                    },
                    RequestMatch {
                        hosts: vec![HostMatch::SingleLabel("c.test".to_owned())],
                        ..RequestMatch::default()
                    },
                ],
                answer: pages(),
                always: true,
            },
            StaticRoute {
                requests: vec![],
                answer: text(503, ""),
                always: false,
            },
        ],
        ..Policy::default()
    }
}

fn route(name: &str, policy: Policy) -> Route {
    Route {
        id: RouteId::from(format!("HTTPRoute/shop/{name}/0/0").as_str()),
        created_ms: 0,
        listed: false,
        hosts: vec![],
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        headers: vec![],
        query: vec![],
        targets: vec![],
        policy: Arc::new(policy),
    }
}

#[test]
fn a_policy_comes_back_as_it_was_sent() {
    for policy in [policy(), Policy::default()] {
        let route = route("web", policy);
        assert_eq!(Route::try_from(v1::Route::from(&route)).unwrap(), route);
    }
}

/// With this change the route is refused, and the error says so.
#[track_caller]
fn check(change: &dyn Fn(&mut v1::Policy), says: &str) {
    let mut route = v1::Route::from(&route("web", policy()));
    change(route.policy.as_mut().unwrap());
    let error = Route::try_from(route).unwrap_err();
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = format!("{error}{}", cause.unwrap_or_default());
    assert_eq!(text, format!("HTTPRoute/shop/web/0/0: {says}"));
}

#[test]
fn an_answer_that_could_not_be_sent_is_refused() {
    let header = |name: &str, value: &str| v1::Header {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    check(
        &|policy| policy.placeholder.as_mut().unwrap().answer = None,
        "policy.placeholder: answer is missing",
    );
    check(
        &|policy| answer(policy).status = 101,
        "policy.placeholder.answer: status is 101, a status is 200 to 599",
    );
    check(
        &|policy| answer(policy).status = 65_736,
        "policy.placeholder.answer: status is 65736, a status is 200 to 599",
    );
    check(
        &|policy| answer(policy).headers.push(header("content-length", "1")),
        "policy.placeholder.answer: header \"content-length\" belongs to the connection and is set by Envoy",
    );
    check(
        &|policy| answer(policy).headers.push(header("x", "a\r\nb: c")),
        "policy.placeholder.answer: the value of header \"x\" is no line of text without space around it",
    );
}

#[test]
fn what_is_wrong_or_too_much_is_refused_with_its_place() {
    check(
        &|policy| {
            let text = "a".repeat(StaticAnswer::MAX_BODY_BYTES + 1);
            policy.static_routes[1].answer.as_mut().unwrap().body =
                Some(v1::static_answer::Body::Text(text));
        },
        "policy.static_routes[1].answer: a body of 1048577 bytes, at most 1048576 are allowed in all",
    );
    check(
        &|policy| {
            let first = files(policy)[0].clone();
            files(policy).push(first);
        },
        "policy.static_routes[0]: answer.by_path.path is a.css, which is there already",
    );
    check(
        &|policy| files(policy).push(v1::File::default()),
        "policy.static_routes[0]: answer.by_path.path is missing",
    );
    check(
        &|policy| {
            policy.static_routes[0].requests[0]
                .hosts
                .push(String::new());
        },
        "policy.static_routes[0]: hosts is missing",
    );
    check(
        &|policy| {
            let route = policy.static_routes[0].clone();
            policy.static_routes = vec![route; 101];
        },
        "policy.static_routes is 101 routes, at most 100 are allowed",
    );
}

fn answer(policy: &mut v1::Policy) -> &mut v1::StaticAnswer {
    policy
        .placeholder
        .as_mut()
        .unwrap()
        .answer
        .as_mut()
        .unwrap()
}

fn files(policy: &mut v1::Policy) -> &mut Vec<v1::File> {
    let answer = policy.static_routes[0].answer.as_mut().unwrap();
    match answer.body.as_mut().unwrap() {
        v1::static_answer::Body::ByPath(files) => &mut files.files,
        v1::static_answer::Body::Text(text) => panic!("{text}"),
    }
}

/// Routes with these policies, in one update.
fn update(policies: Vec<Policy>) -> v1::Update {
    let routes = policies.into_iter().enumerate();
    let routes = routes.map(|(number, policy)| route(&number.to_string(), policy));
    v1::Update {
        full: true,
        last: true,
        routes: routes.map(|route| v1::Route::from(&route)).collect(),
        ..v1::Update::default()
    }
}

#[test]
fn an_answer_is_kept_once_whoever_has_it_and_forgotten_with_the_last() {
    let mut assembler = Assembler::default();
    let other = Policy {
        max_held: 7,
        ..policy()
    };
    let first = update(vec![policy(), other, policy(), policy()]);
    let first = assembler.push(first).unwrap().unwrap();
    assembler.restart();
    let second = assembler.push(update(vec![policy()])).unwrap().unwrap();
    let routes: Vec<_> = first.routes.iter().chain(&second.routes).collect();
    let answers = |route: &Route| {
        let placeholder = route.policy.placeholder.as_ref().unwrap();
        let page = &route.policy.static_routes[0];
        [&placeholder.answer, &page.answer].map(Arc::clone)
    };
    let [one, page] = answers(routes[0]);
    for route in &routes {
        let [same, same_page] = answers(route);
        assert!(Arc::ptr_eq(&one, &same) && Arc::ptr_eq(&page, &same_page));
    }
    let weak = Arc::downgrade(&one);
    drop((first, second, one, page));
    assembler.push(update(vec![Policy::default()])).unwrap();
    assert!(weak.upgrade().is_none());
}
