//! Time-outs of Envoy Gateway that go on while a request is held: each has to be longer than the hold.

use std::time::Duration;

use serde_json::Value;

use super::{Context, Found, duration, envoy_gateway::scopes, name, shown};
use crate::doctor::{
    objects::{BACKEND_POLICY, CLIENT_POLICY},
    policy::{Levels, Scope},
    route::Route,
    rules::envoy_gateway::{IDLE_TIMEOUT, TIMEOUT},
};

/// How long Envoy lets a silent stream be where nothing is said.
const STREAM_IDLE: Duration = Duration::from_mins(5);

/// Of a BackendTrafficPolicy, beside the idle time-out of streams. That of a request begins after the hold.
const OF_BACKEND: &str = "/spec/timeout/http/maxStreamDuration";

/// Of a ClientTrafficPolicy, beside the idle time-out of streams.
const OF_CLIENT: [&str; 2] = [
    "/spec/timeout/http/requestReceivedTimeout",
    "/spec/connection/connectionLimit/maxStreamDuration",
];

const IDLE: &str = "/spec/timeout/http/streamIdleTimeout";

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for route in &context.routes {
        for scope in scopes(context, route) {
            let backend = scope.policies(context.objects, BACKEND_POLICY);
            let client = scope.policies(context.objects, CLIENT_POLICY);
            is_longer(route, &backend, OF_BACKEND, found);
            for pointer in OF_CLIENT {
                is_longer(route, &client, pointer, found);
            }
            let says_idle =
                is_longer(route, &backend, IDLE, found) || is_longer(route, &client, IDLE, found);
            // With a time-out for requests Envoy Gateway sets one for silence: an hour, or that if it is longer.
            let has_request = backend.field("/spec/timeout/http/requestTimeout").is_some()
                || rule_has_timeout(&scope);
            if !says_idle && !has_request && route.hold >= STREAM_IDLE {
                let (hold, gateway) = (shown(route.hold), name(scope.gateway));
                let facts = [("hold", &*hold), ("gateway", &*gateway)];
                let finding = IDLE_TIMEOUT.at(&*route.hold_field, &facts);
                found.say(&route.object.id, finding);
            }
        }
    }
}

/// Says of a policy that its time-out is not longer than the hold; and whether there is a time-out at all.
fn is_longer(route: &Route<'_>, levels: &Levels<'_>, pointer: &str, found: &mut Found) -> bool {
    let Some((policy, value)) = levels.field(pointer) else {
        return false;
    };
    let timeout = value.as_str().and_then(duration);
    // Zero is none.
    if let Some(timeout) = timeout.filter(|it| !it.is_zero() && *it <= route.hold) {
        let hold = shown(route.hold);
        let facts = [
            ("value", &*shown(timeout)),
            ("hold", &*hold),
            ("route", &*route.object.id.to_string()),
        ];
        let field = pointer.trim_start_matches('/').replace('/', ".");
        found.say(&policy.id, TIMEOUT.at(field, &facts));
    }
    true
}

fn rule_has_timeout(scope: &Scope<'_>) -> bool {
    let mut rules = scope.route.list("/spec/rules").iter();
    rules.any(|rule| {
        let name = rule.pointer("/name").and_then(Value::as_str);
        name == scope.rule && rule.pointer("/timeouts/request").is_some()
    })
}
