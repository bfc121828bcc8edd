//! What is wrong with a policy, and the words by which its writer learns that.

use serde_json::{Value, json};

use super::many_targets;

/// Fields of a spec, and what the API server must say about them.
pub(super) type Case = (Value, &'static [&'static str]);

pub(super) fn cases() -> impl Iterator<Item = Case> {
    [targets(), holds(), no_wakes(), scales(), out_of_bounds()]
        .into_iter()
        .flatten()
}

fn targets() -> Vec<Case> {
    let target = |group, kind| json!({ "group": group, "kind": kind, "name": "shop" });
    let targets = |it: Value| json!({ "targetRefs": it });
    let section = |group, kind, section| json!({ "group": group, "kind": kind, "name": "shop", "sectionName": section });
    let (route, service) = ("gateway.networking.k8s.io", target("", "Service"));
    let groups: &[&str] = &["spec.targetRefs[0]", "a Service has an empty group"];
    let twice: &[&str] = &["spec.targetRefs", "twice: remove one"];
    let http = section("", "Service", "http");
    vec![
        (targets(json!([])), &["spec.targetRefs", "at least 1"]),
        (
            targets(many_targets(17, "", "Service")),
            &["spec.targetRefs", "at most 16"],
        ),
        (
            targets(json!([target("apps", "Deployment")])),
            &["spec.targetRefs[0].kind", "HTTPRoute"],
        ),
        (targets(json!([target("", "HTTPRoute")])), groups),
        (targets(json!([target("", "Ingress")])), groups),
        (targets(json!([target(route, "Service")])), groups),
        (
            targets(json!([target("networking.k8s.io", "GRPCRoute")])),
            groups,
        ),
        (
            targets(json!([section("networking.k8s.io", "Ingress", "a")])),
            &["spec.targetRefs[0]", "leave out sectionName"],
        ),
        (
            targets(json!([section("", "Service", "")])),
            &["spec.targetRefs[0].sectionName", "at least 1"],
        ),
        (
            targets(json!([service, target(route, "HTTPRoute"), service])),
            twice,
        ),
        (targets(json!([http, http])), twice),
    ]
}

fn holds() -> Vec<Case> {
    let timeout = |text: &str| json!({ "hold": { "timeout": text } });
    let bounds: &[&str] = &["spec.hold.timeout", "from 1ms to 1h"];
    vec![
        (timeout("soon"), bounds),
        (timeout("1.5s"), &["spec.hold.timeout", "should match"]),
        (timeout("0s"), bounds),
        (timeout("1h1ms"), bounds),
        (
            json!({ "hold": { "maxHeld": 0 } }),
            &["spec.hold.maxHeld", "greater than or equal to 1"],
        ),
        (
            json!({ "hold": { "maxHeld": 1_000_001 } }),
            &["spec.hold.maxHeld", "less than or equal to 1000000"],
        ),
        (
            json!({ "hold": { "overflowStatus": 500 } }),
            &["spec.hold.overflowStatus", "429", "503"],
        ),
        (
            json!({ "thaw": { "maxInFlightPerEndpoint": 0 } }),
            &["spec.thaw.maxInFlightPerEndpoint", "equal to 1"],
        ),
    ]
}

fn no_wakes() -> Vec<Case> {
    let one = |it: Value| json!({ "noWake": [it] });
    let exactly: &[&str] = &["spec.noWake[0]", "exactly one of pathPrefix"];
    let status: &[&str] = &["spec.noWake[0].status", "or equal to"];
    let name: &[&str] = &["spec.noWake[0].header.name", "the name of a header"];
    let head = json!({ "method": "HEAD" });
    vec![
        (
            json!({ "noWake": vec![head; 17] }),
            &["spec.noWake", "at most 16"],
        ),
        (one(json!({ "status": 204 })), exactly),
        (one(json!({ "pathPrefix": "/", "method": "HEAD" })), exactly),
        (
            one(json!({ "pathPrefix": "healthz" })),
            &["spec.noWake[0].pathPrefix", "must begin with /"],
        ),
        (
            one(json!({ "userAgentPrefix": "" })),
            &["spec.noWake[0].userAgentPrefix", "at least 1"],
        ),
        (
            one(json!({ "method": "head" })),
            &["spec.noWake[0].method", "upper case"],
        ),
        (one(json!({ "header": { "name": "x probe" } })), name),
        (one(json!({ "header": { "name": "" } })), name),
        (one(json!({ "method": "HEAD", "status": 199 })), status),
        (one(json!({ "method": "HEAD", "status": 600 })), status),
    ]
}

fn scales() -> Vec<Case> {
    let of = |target: Value| json!({ "targetRefs": [target], "scale": {} });
    let alone: &[&str] = &["spec: ", "all Services without sectionName"];
    let route = "gateway.networking.k8s.io";
    let replicas = json!({ "minReplicas": 5, "maxReplicas": 3 });
    vec![
        (
            of(json!({ "group": route, "kind": "HTTPRoute", "name": "shop" })),
            alone,
        ),
        (
            of(json!({ "kind": "Service", "name": "shop", "sectionName": "http" })),
            alone,
        ),
        (
            json!({ "scale": replicas }),
            &["spec.scale", "at least minReplicas"],
        ),
        (
            scale("scaledObject", json!("Foreign")),
            &["spec.scale.scaledObject", "External"],
        ),
        (
            workload("apps/v1", "deployment", "shop"),
            &["spec.scale.target.kind", "should match"],
        ),
        (
            workload("apps/v1", "a/Rollout", "shop"),
            &["spec.scale.target.kind", "should match"],
        ),
        (
            workload("apps", "Rollout", "shop"),
            &["spec.scale.target.apiVersion", "should match"],
        ),
        (
            workload("apps/v1", "Rollout", "a/b"),
            &["spec.scale.target.name", "should match"],
        ),
    ]
}

fn out_of_bounds() -> Vec<Case> {
    vec![
        (
            scale("minReplicas", json!(-1)),
            &["spec.scale.minReplicas", "equal to 0"],
        ),
        (
            scale("maxReplicas", json!(0)),
            &["spec.scale.maxReplicas", "equal to 1"],
        ),
        (
            scale("maxReplicas", json!(2_147_483_648_u32)),
            &["spec.scale.maxReplicas", "2147483647"],
        ),
        (
            scale("cooldown", json!("24h1ms")),
            &["spec.scale.cooldown", "from 0s to 24h"],
        ),
        (
            scale("initialCooldown", json!("25h")),
            &["spec.scale.initialCooldown", "from 0s to 24h"],
        ),
        (
            scale("rateWindow", json!("999ms")),
            &["spec.scale.rateWindow", "from 1s to 1h"],
        ),
        (
            scale("targetConcurrency", json!(0)),
            &["spec.scale.targetConcurrency", "from 0.001"],
        ),
        (
            scale("targetRate", json!(0.0009)),
            &["spec.scale.targetRate", "from 0.001"],
        ),
        (
            scale("targetRate", json!(1_000_000_001)),
            &["spec.scale.targetRate", "or equal to 1000000000"],
        ),
    ]
}

fn workload(api_version: &str, kind: &str, name: &str) -> Value {
    let workload = json!({ "apiVersion": api_version, "kind": kind, "name": name });
    scale("target", workload)
}

fn scale(name: &str, value: Value) -> Value {
    let fields: serde_json::Map<_, _> = [(name.to_owned(), value)].into_iter().collect();
    json!({ "scale": fields })
}
