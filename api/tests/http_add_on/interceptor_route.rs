//! What an InterceptorRoute means.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use wakegate_api::http_add_on::{
    Body, ColdStart, ColdStartOverflow, Header, HostPattern, InterceptorRoute, Port, Reading,
    RequestRate, Requests, Response, ResponseMode, StaticAnswer, Timeout, Timeouts,
};

use super::yaml;

/// With `more` behind what every route needs.
#[track_caller]
fn read(more: &str) -> Reading {
    let text = format!(
        "apiVersion: http.keda.sh/v1beta1
kind: InterceptorRoute
metadata: {{name: shop, namespace: web}}
spec:
  target: {{service: shop, port: 80}}
  scalingMetric: {{concurrency: {{targetValue: 10}}}}
{more}"
    );
    let route: InterceptorRoute = yaml::read(&text);
    // What is read comes back as it was.
    let again = serde_json::to_value(&route).unwrap();
    assert_eq!(
        serde_json::from_value::<InterceptorRoute>(again).unwrap(),
        route
    );
    route.spec.read().unwrap()
}

fn nonzero(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn fields(reading: &Reading) -> Vec<&str> {
    let notes = reading.not_in_force.iter();
    notes.map(|it| it.field.as_str()).collect()
}

fn text(status: u16, body: &str) -> Response {
    Response {
        status,
        body: Body::Text(body.to_owned()),
        headers: BTreeMap::new(),
    }
}

fn everything() -> Requests {
    Requests {
        hosts: vec![HostPattern::Any],
        path_prefixes: vec!["/".to_owned()],
        headers: Vec::new(),
    }
}

#[test]
fn the_least_route_routes_nothing_and_holds() {
    let reading = read("");
    assert_eq!(reading.target.to_string(), "shop:80");
    assert_eq!(reading.requests, []);
    assert_eq!(reading.metrics.concurrency, Some(nonzero(10)));
    assert_eq!(reading.metrics.request_rate, None);
    assert_eq!(reading.cold_start, ColdStart::default());
    assert!(reading.cold_start.holds());
    assert_eq!(reading.timeouts, Timeouts::default());
    assert_eq!(reading.static_answers, []);
    assert_eq!(reading.scaling, None);
    assert_eq!(reading.not_in_force, []);
}

#[test]
fn rules_become_requests_and_an_empty_one_means_all() {
    let reading = read(
        "  rules:
  - hosts: [Shop.example.com:8443, '*.example.org', '*']
    paths: [{value: /api/}, {value: v2}]
    headers: [{name: X-Tenant, value: blue}, {name: x-debug}, {name: x-empty, value: ''}]
  - {}
",
    );
    let header = |name: &str, value: Option<&str>| Header {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    let first = Requests {
        hosts: vec![
            HostPattern::Exact("shop.example.com".to_owned()),
            HostPattern::Below("example.org".to_owned()),
            HostPattern::Any,
        ],
        path_prefixes: vec!["/api".to_owned(), "/v2".to_owned()],
        headers: vec![
            header("x-tenant", Some("blue")),
            header("x-debug", None),
            header("x-empty", Some("")),
        ],
    };
    assert_eq!(reading.requests, [first, everything()]);
    assert_eq!(reading.not_in_force, []);
}

#[test]
fn hosts_are_read_as_the_add_on_does_but_for_their_case() {
    let exact = |name: &str| Some(HostPattern::Exact(name.to_owned()));
    for (text, expected) in [
        ("", Some(HostPattern::Any)),
        ("*", Some(HostPattern::Any)),
        ("*:8080", Some(HostPattern::Any)),
        ("A.b", exact("a.b")),
        ("a.b:80", exact("a.b")),
        ("[::1]:8080", exact("::1")),
        ("[::1]", exact("[::1]")),
        ("::1", exact("::1")),
        ("*.b", Some(HostPattern::Below("b".to_owned()))),
        ("*.", None),
        ("*b", None),
        ("a.*.b", None),
        ("*.*.b", None),
    ] {
        assert_eq!(HostPattern::parse(text), expected, "{text:?}");
    }
}

#[test]
fn a_rule_whose_hosts_mean_nothing_means_nothing_and_says_so() {
    let reading = read("  rules: [{hosts: ['a.*.com', '*b'], paths: [{value: /x}]}]\n");
    assert_eq!(reading.requests, []);
    assert_eq!(
        fields(&reading),
        ["spec.rules[0].hosts[0]", "spec.rules[0].hosts[1]"]
    );
    let reading = read("  rules: [{hosts: ['a.*.com', b.com]}]\n");
    let hosts = &reading.requests[0].hosts;
    assert_eq!(*hosts, [HostPattern::Exact("b.com".to_owned())]);
    assert_eq!(fields(&reading), ["spec.rules[0].hosts[0]"]);
}

#[test]
fn a_null_is_what_is_not_said() {
    let reading = read("  rules: [{hosts: null, paths: null, headers: null}]\n  coldStart: null\n");
    assert_eq!(reading.requests, [everything()]);
    let reading = read("  rules:\n  staticRoutes:\n  timeouts: {readiness: null}\n");
    assert_eq!(reading.requests, []);
    assert_eq!(reading.timeouts, Timeouts::default());
    let reading =
        read("  coldStart: {placeholder: {response: {body: null, headers: {a: null, b: c}}}}\n");
    let headers = reading.cold_start.placeholder.unwrap().headers;
    assert_eq!(headers, BTreeMap::from([("b".to_owned(), "c".to_owned())]));
}

#[test]
fn rates_have_the_defaults_of_the_add_on_and_take_grains_below_a_second() {
    let rate = |more: &str| -> RequestRate {
        let text = format!(
            "apiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {{name: a}}
spec: {{target: {{service: a, portName: http}}, scalingMetric: {{requestRate: {{targetValue: 5{more}}}}}}}"
        );
        let route: InterceptorRoute = yaml::read(&text);
        let reading = route.spec.read().unwrap();
        assert_eq!(reading.target.port, Port::Name("http".to_owned()));
        assert_eq!(reading.metrics.concurrency, None);
        reading.metrics.request_rate.unwrap()
    };
    let (minute, second) = (Duration::from_mins(1), Duration::from_secs(1));
    let expected = |window, granularity| RequestRate {
        target: nonzero(5),
        window,
        granularity,
    };
    assert_eq!(rate(""), expected(minute, second));
    let short = rate(", window: 1m30s, granularity: 100ms");
    let tenth = Duration::from_millis(100);
    assert_eq!(short, expected(Duration::from_secs(90), tenth));
    assert!((short.target_per_second() - 50.0).abs() < 1e-9);
}

#[test]
fn cold_start_says_who_is_held() {
    let reading = read("  coldStart: {placeholder: {response: {body: soon}}}\n");
    let placeholder = Some(text(503, "soon"));
    assert_eq!(reading.cold_start.placeholder, placeholder);
    assert!(!reading.cold_start.holds());
    let reading = read("  coldStart: {maxPendingRequests: 7}\n");
    assert_eq!(reading.cold_start.max_pending, Some(nonzero(7)));
    assert_eq!(reading.cold_start.overflow, ColdStartOverflow::Reject);
    assert!(reading.cold_start.holds());
    let both = "maxPendingRequests: 7, placeholder: {response: {statusCode: 429}}";
    let reading = read(&format!("  coldStart: {{{both}}}\n"));
    assert!(!reading.cold_start.holds());
    let reading = read(&format!("  coldStart: {{{both}, overflow: Placeholder}}\n"));
    assert_eq!(reading.cold_start.overflow, ColdStartOverflow::Placeholder);
    assert_eq!(reading.cold_start.placeholder, Some(text(429, "")));
    assert!(reading.cold_start.holds());
}

#[test]
fn bodies_may_be_in_a_config_map() {
    let reading = read(
        "  coldStart:
    placeholder:
      response:
        statusCode: 202
        headers: {Retry-After: '5', Content-Type: text/html}
        bodyFromConfigMap: {name: pages, key: wait.html}
",
    );
    let placeholder = reading.cold_start.placeholder.unwrap();
    let headers = [("Retry-After", "5"), ("Content-Type", "text/html")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(placeholder.status, 202);
    assert_eq!(placeholder.headers, BTreeMap::from(headers));
    let from = |key: Option<&str>| Body::ConfigMap {
        name: "pages".to_owned(),
        key: key.map(str::to_owned),
    };
    assert_eq!(placeholder.body, from(Some("wait.html")));
    let reading = read(
        "  coldStart: {placeholder: {response: {bodyFromConfigMap: {name: pages, key: ''}}}}\n",
    );
    assert_eq!(reading.cold_start.placeholder.unwrap().body, from(None));
}

#[test]
fn static_routes_become_answers_in_their_order() {
    let reading = read(
        "  staticRoutes:
  - rules: [{paths: [{value: /healthz}]}]
    response: {body: ok}
  - rules: [{hosts: ['x*']}]
    response: {}
  - rules: [{}]
    response: {statusCode: 204}
    responseMode: Always
",
    );
    let healthz = Requests {
        path_prefixes: vec!["/healthz".to_owned()],
        ..everything()
    };
    let expected = [
        StaticAnswer {
            requests: vec![healthz],
            response: text(200, "ok"),
            mode: ResponseMode::WhenUnavailable,
        },
        StaticAnswer {
            requests: vec![everything()],
            response: text(204, ""),
            mode: ResponseMode::Always,
        },
    ];
    assert_eq!(reading.static_answers, expected);
    assert_eq!(fields(&reading), ["spec.staticRoutes[1].rules[0].hosts[0]"]);
}

#[test]
fn timeouts_are_not_said_or_off_or_so_long() {
    let after = |secs| Some(Timeout::After(Duration::from_secs(secs)));
    let reading = read("  timeouts: {readiness: 0s, request: 1m30s}\n");
    assert_eq!(reading.timeouts.readiness, Some(Timeout::Off));
    assert_eq!(reading.timeouts.request, after(90));
    assert_eq!(reading.timeouts.response_header, None);
    assert_eq!(reading.not_in_force, []);
    let reading = read("  timeouts: {request: -1s}\n");
    assert_eq!(reading.timeouts.request, Some(Timeout::Off));

    let reading = read("  timeouts: {responseHeader: 5s}\n");
    assert_eq!(reading.timeouts.response_header, after(5));
    assert_eq!(fields(&reading), ["spec.timeouts.responseHeader"]);
}

#[test]
fn what_envoy_decides_is_noted_as_not_in_force() {
    let fallback = "  coldStart: {fallback: {service: {name: spare, portName: http}}}\n";
    let reading = read(fallback);
    let spare = reading.cold_start.fallback.as_ref().unwrap();
    assert_eq!(spare.to_string(), "spare:http");
    assert_eq!(fields(&reading), ["spec.coldStart.fallback"]);
    assert_eq!(reading.timeouts.readiness, None);
    // To the add-on, a wait without end is none when something waits for its end.
    let reading = read(&format!("{fallback}  timeouts: {{readiness: 0s}}\n"));
    let after = Timeout::After(Duration::from_secs(30));
    assert_eq!(reading.timeouts.readiness, Some(after));
    let reading = read(
        "  sessionPersistence: {type: Cookie, absoluteTimeout: 30m, cookie: {name: shop-session}}\n",
    );
    assert_eq!(fields(&reading), ["spec.sessionPersistence"]);
}
