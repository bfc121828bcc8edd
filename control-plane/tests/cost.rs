//! What one change costs, as a ratio: among ten thousand Services nearly the same as among a hundred.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use serde_json::json;
use wakegate_control_plane::{
    index::Index,
    object::{Kind, Object, ObjectId},
};

type Change = (ObjectId, Option<Object>);

/// A Service with a route that leads to it.
fn service(name: &str) -> [Change; 2] {
    let service = json!({"metadata": {}, "spec": {"ports": [{"port": 80}]}});
    let route = json!({
        "metadata": {"annotations": {"wakegate.dev/scale-to-zero": "true"}},
        "spec": {
            "hostnames": [format!("{name}.test")],
            "rules": [{"backendRefs": [{"name": name, "port": 80}]}],
        },
    });
    let id = |kind| ObjectId::new(kind, "shop", name);
    [
        (
            id(Kind::Service),
            Some(Object::Service(serde_json::from_value(service).unwrap())),
        ),
        (
            id(Kind::HttpRoute),
            Some(Object::HttpRoute(serde_json::from_value(route).unwrap())),
        ),
    ]
}

fn endpoint(service: &str, is_ready: bool) -> Change {
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"port": 8080}],
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": is_ready}}],
    });
    let id = ObjectId::new(Kind::EndpointSlice, "shop", service);
    (
        id,
        Some(Object::EndpointSlice(
            serde_json::from_value(slice).unwrap(),
        )),
    )
}

/// The median time of one endpoint that becomes ready, or is no longer.
fn median(n_services: usize) -> Duration {
    let name = |at: usize| format!("s{at}");
    let mut index = Index::default();
    let all = (0..n_services).flat_map(|at| service(&name(at)));
    let mut held = index.apply(all.collect(), Vec::new()).unwrap();
    let mut times = Vec::new();
    for at in 0..201 {
        let change = vec![endpoint(&name(at * 7 % n_services), at % 3 > 0)];
        let begin = Instant::now();
        let next = index.apply(change, Vec::new());
        times.push(begin.elapsed());
        // As a subscriber does, which keeps the last snapshot while the next is made.
        held = next.unwrap_or(held);
    }
    assert_eq!(held.backends.size(), n_services);
    times.sort_unstable();
    *times.get(times.len() / 2).unwrap()
}

#[test]
fn one_endpoint_costs_the_same_among_many_services() {
    let (few, many) = (median(100), median(10_000));
    eprintln!("one endpoint among 100 Services: {few:?}, among 10,000: {many:?}");
    assert!(many < few * 8, "{few:?} among 100, {many:?} among 10,000");
}
