//! A thaw goes on at the pace of its answers, not at that of the slow tick.

use crate::envoy::{Envoy, ROOT};

const CONTINUE: Option<i32> = Some(0);
const PAUSE: Option<i32> = Some(1);
const HEADERS: [(&str, &str); 3] = [
    (":authority", "app-0.test"),
    (":path", "/"),
    (":method", "GET"),
];

#[test]
fn a_place_that_becomes_free_is_taken_at_the_next_fast_tick() {
    let mut envoy = Envoy::with_routes(1);
    envoy.set_endpoints(0, 0);
    let [canary, second, _third] = [(); 3].map(|()| ask(&mut envoy, PAUSE));
    envoy.forget_calls();
    envoy.set_endpoints(0, 1);
    assert_eq!(n_resumed(&envoy), 1, "the canary alone");
    assert!(
        envoy.tick_ms() > 1,
        "nothing is to be done until it is answered"
    );
    envoy.call("proxy_on_response_headers", &[canary, 8, 0]);
    assert_eq!(envoy.tick_ms(), 1, "its answer opens the window");
    envoy.call("proxy_on_tick", &[ROOT]);
    assert_eq!(n_resumed(&envoy), 3);
    envoy.call("proxy_on_done", &[second]);
    ask(&mut envoy, CONTINUE);
}

/// A released request that ends without a response frees its place as well.
#[test]
fn a_canary_that_ends_makes_room_at_the_next_fast_tick() {
    let mut envoy = Envoy::with_routes(1);
    envoy.set_endpoints(0, 0);
    let [canary, _second] = [(); 2].map(|()| ask(&mut envoy, PAUSE));
    envoy.forget_calls();
    envoy.set_endpoints(0, 1);
    envoy.call("proxy_on_done", &[canary]);
    assert_eq!(envoy.tick_ms(), 1);
    envoy.call("proxy_on_tick", &[ROOT]);
    assert_eq!(n_resumed(&envoy), 2);
}

fn ask(envoy: &mut Envoy, expected: Option<i32>) -> i32 {
    let id = envoy.next_context();
    envoy.set_request_headers(&HEADERS);
    envoy.call("proxy_on_context_create", &[id, ROOT]);
    let status = envoy.call("proxy_on_request_headers", &[id, 3, 1]);
    assert_eq!(status, expected);
    id
}

fn n_resumed(envoy: &Envoy) -> u32 {
    let calls = envoy.calls();
    calls.get("proxy_continue_stream").copied().unwrap_or(0)
}
