//! What the filter costs a request whose backend is up, in what can be counted: the crossings between
//! Envoy and the VM, the work in the VM, its memory. `just bench` measures the time; this fails on every
//! machine when one of the counts grows.

use std::collections::BTreeMap;

use crate::envoy::{self, Envoy};

/// A busy host of many.
const HEADERS: [(&str, &str); 10] = [
    (":authority", "app-7.test"),
    (":path", "/catalog/items?page=2"),
    (":method", "GET"),
    (":scheme", "http"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("x-forwarded-proto", "http"),
    ("x-request-id", "0b21b6f0-8d83-4b4f-9a7e-2a6a5c6f7d01"),
];

/// More headers than a local reply of Envoy's has.
const N_RESPONSE_HEADERS: i32 = 8;

/// Envoy crosses into the VM for each function that is here and concerns a request, on every request.
#[test]
fn envoy_calls_what_the_filter_acts_on_and_nothing_else() {
    let functions = envoy::exported_functions();
    let expected = [
        "proxy_abi_version_0_2_1",
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_done",
        "proxy_on_grpc_close",
        "proxy_on_grpc_receive",
        "proxy_on_http_call_response",
        "proxy_on_memory_allocate",
        "proxy_on_request_headers",
        "proxy_on_response_headers",
        "proxy_on_tick",
    ];
    assert_eq!(functions, expected);
}

#[test]
fn a_request_makes_three_host_calls() {
    let mut envoy = Envoy::with_routes(10);
    warm_up(&mut envoy);
    envoy.forget_calls();
    request(&mut envoy);
    let expected = [
        // When it starts and when it ends: the integral of demand is exact.
        ("proxy_get_current_time_nanoseconds", 2),
        ("proxy_get_header_map_pairs", 1),
    ];
    assert_eq!(envoy.calls(), BTreeMap::from(expected));
}

/// Work in the VM, in the interpreter's units of fuel: about one for each instruction.
#[test]
fn the_work_for_a_request_does_not_grow() {
    let [few, many] = [10, 10_000].map(|n_routes| {
        let mut envoy = Envoy::with_routes(n_routes);
        warm_up(&mut envoy);
        envoy.fuel_of(request)
    });
    assert!(few <= MAX_FUEL, "{few} units of fuel");
    assert!(
        many <= few + few / 10,
        "{few} of 10 routes, {many} of 10,000"
    );
}

/// About 9,200 were seen, with and without `wasm-opt`; the rest is for another compiler.
const MAX_FUEL: u64 = 10_300;

#[test]
fn memory_stays_as_it_is() {
    let mut envoy = Envoy::with_routes(10);
    warm_up(&mut envoy);
    let before = envoy.memory_bytes();
    for _ in 0..20_000 {
        request(&mut envoy);
    }
    assert_eq!(envoy.memory_bytes(), before);
}

fn warm_up(envoy: &mut Envoy) {
    for _ in 0..100 {
        request(envoy);
    }
}

fn request(envoy: &mut Envoy) {
    let id = envoy.next_context();
    envoy.set_request_headers(&HEADERS);
    envoy.call("proxy_on_context_create", &[id, envoy::ROOT]);
    let status = envoy.call("proxy_on_request_headers", &[id, 10, 1]);
    assert_eq!(status, Some(0), "the request goes on");
    envoy.call("proxy_on_response_headers", &[id, N_RESPONSE_HEADERS, 0]);
    envoy.call("proxy_on_done", &[id]);
}
