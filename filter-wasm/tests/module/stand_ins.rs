//! What a route's object says itself: its answers as they reach Envoy, and the deadline of its requests.

use std::time::Duration;

use wakegate_wire::v1;

use crate::envoy::{self, Envoy, ROOT, Reply};

const CONTINUE: Option<i32> = Some(0);
const PAUSE: Option<i32> = Some(1);
const TIMEOUT: &str = "x-envoy-upstream-rq-timeout-ms";

fn text(status: u32, body: &str) -> v1::StaticAnswer {
    v1::StaticAnswer {
        status,
        headers: vec![v1::Header {
            name: "X-From".to_owned(),
            value: "author".to_owned(),
        }],
        body: Some(v1::static_answer::Body::Text(body.to_owned())),
    }
}

fn pages() -> v1::StaticAnswer {
    let file = |path: &str| v1::File {
        path: path.to_owned(),
        content_type: Some("text/html".to_owned()),
        text: format!("<p>{path}"),
    };
    let files = vec![file("a.html"), file("index.html")];
    v1::StaticAnswer {
        status: 200,
        headers: vec![],
        body: Some(v1::static_answer::Body::ByPath(v1::Files { files })),
    }
}

fn placeholder(answer: v1::StaticAnswer) -> v1::Policy {
    v1::Policy {
        placeholder: Some(v1::Placeholder {
            answer: Some(answer),
            overflow_only: false,
        }),
        ..envoy::policy()
    }
}

/// A filter with one route of this policy, whose backend has so many endpoints.
fn filter(policy: v1::Policy, n_ready: u32) -> Envoy {
    let mut envoy = Envoy::with_routes(1);
    envoy.set_policy(0, policy);
    envoy.set_endpoints(0, n_ready);
    envoy.ack_reports();
    envoy.forget_calls();
    envoy
}

fn ask(envoy: &mut Envoy, path: &str, more: &[(&str, &str)], expected: Option<i32>) -> i32 {
    let id = envoy.next_context();
    let head = [
        (":authority", "app-0.test"),
        (":path", path),
        (":method", "GET"),
    ];
    envoy.set_request_headers(&[&head, more].concat());
    envoy.call("proxy_on_context_create", &[id, ROOT]);
    let status = envoy.call("proxy_on_request_headers", &[id, 3, 1]);
    assert_eq!(status, expected);
    id
}

fn reply(status: u32, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
        grpc_status: -1,
    }
}

#[test]
fn a_placeholder_is_sent_as_it_stands_and_leaves_no_mark() {
    let mut envoy = filter(placeholder(text(418, "soon")), 0);
    let accept = [("accept", "application/json,text/html")];
    let id = ask(&mut envoy, "/", &accept, PAUSE);
    let expected = reply(418, &[("X-From", "author")], "soon");
    assert_eq!(envoy.take_replies(), [expected]);
    assert_eq!(envoy.calls().get("proxy_grpc_send"), Some(&1), "it wakes");
    envoy.call("proxy_on_response_headers", &[id, 4, 0]);
    envoy.call("proxy_on_done", &[id]);
    let marks = envoy.calls().get("proxy_add_header_map_value").copied();
    assert_eq!(marks, None);
}

#[test]
fn a_file_is_sent_with_its_type_and_none_without_a_body() {
    let mut envoy = filter(placeholder(pages()), 0);
    for path in ["/?q", "/%61.html", "/none"] {
        ask(&mut envoy, path, &[], PAUSE);
    }
    let html = [("content-type", "text/html")];
    let expected = [
        reply(200, &html, "<p>index.html"),
        reply(200, &html, "<p>a.html"),
        reply(200, &[], ""),
    ];
    assert_eq!(envoy.take_replies(), expected);
}

#[test]
fn a_large_answer_is_sent_whole_and_gives_its_memory_back() {
    let large = "a".repeat(1 << 20);
    let mut envoy = filter(placeholder(text(200, &large)), 0);
    let mut memory = 0;
    for round in 0..50 {
        let id = ask(&mut envoy, "/", &[], PAUSE);
        envoy.call("proxy_on_done", &[id]);
        let [reply] = envoy.take_replies().try_into().unwrap();
        assert_eq!(reply.body.len(), large.len());
        if round == 0 {
            memory = envoy.memory_bytes();
        }
    }
    assert_eq!(envoy.memory_bytes(), memory);
}

/// The table has an answer once, and its copy in shared data has a limit.
#[test]
fn many_routes_with_the_same_large_answer_do_not_fill_the_memory() {
    let policy = placeholder(text(200, &"a".repeat(1 << 20)));
    let mut envoy = Envoy::with_routes(1);
    for number in 0..60 {
        envoy.set_policy(number, policy.clone());
    }
    envoy.pass(Duration::from_secs(2));
    let n_mib = envoy.memory_bytes() >> 20;
    assert!(n_mib < 100, "{n_mib} MiB");
}

#[test]
fn a_static_route_is_answered_or_passes_and_wakes_nothing() {
    let route = |path: &str, status, always| v1::StaticRoute {
        requests: vec![v1::RequestMatch {
            path_prefixes: vec![path.to_owned()],
            ..v1::RequestMatch::default()
        }],
        answer: Some(text(status, "")),
        always,
    };
    let policy = v1::Policy {
        static_routes: vec![route("/health", 204, false), route("/about", 200, true)],
        ..envoy::policy()
    };
    let mut asleep = filter(policy.clone(), 0);
    ask(&mut asleep, "/health/live", &[], PAUSE);
    ask(&mut asleep, "/about", &[], PAUSE);
    let statuses = |envoy: &mut Envoy| {
        let replies = envoy.take_replies().into_iter();
        replies.map(|reply| reply.status).collect::<Vec<_>>()
    };
    assert_eq!(statuses(&mut asleep), [204, 200]);
    assert_eq!(asleep.calls().get("proxy_grpc_send"), None);
    let mut ready = filter(policy, 1);
    ask(&mut ready, "/health", &[], CONTINUE);
    ask(&mut ready, "/about", &[], PAUSE);
    assert_eq!(statuses(&mut ready), [200]);
}

#[test]
fn a_request_that_passes_takes_its_deadline_along_by_one_host_call() {
    let within = v1::Policy {
        request_timeout_ms: Some(2_500),
        ..envoy::policy()
    };
    let [without, with] = [envoy::policy(), within].map(|policy| {
        let mut envoy = filter(policy, 1);
        ask(&mut envoy, "/", &[], CONTINUE);
        envoy
    });
    let mut expected = without.calls();
    expected.insert("proxy_replace_header_map_value", 1);
    assert_eq!(with.calls(), expected);
    assert_eq!(
        with.set_headers(),
        [(TIMEOUT.to_owned(), "2500".to_owned())]
    );
}

#[test]
fn a_request_that_was_held_takes_along_what_the_hold_left() {
    let policy = v1::Policy {
        request_timeout_ms: Some(2_500),
        ..envoy::policy()
    };
    let mut envoy = filter(policy, 0);
    ask(&mut envoy, "/", &[], PAUSE);
    assert_eq!(envoy.set_headers(), []);
    // A millisecond passes with each call.
    envoy.set_endpoints(0, 1);
    assert_eq!(envoy.calls().get("proxy_continue_stream"), Some(&1));
    let [(name, left)] = envoy.set_headers().try_into().unwrap();
    assert_eq!((name.as_str(), left.as_str()), (TIMEOUT, "2499"));
}
