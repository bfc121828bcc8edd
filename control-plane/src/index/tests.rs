//! What a change makes new, and nothing else.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::object::NamespaceObject;

fn parsed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A route of namespace `shop` that one Gateway may take, to a Service of a namespace.
fn route(name: &str, gateway: &str, service_namespace: &str) -> (ObjectId, Option<Object>) {
    let route = json!({"metadata": {}, "spec": {
        "parentRefs": [{"namespace": "infra", "name": gateway}],
        "rules": [{"backendRefs": [{"name": "web", "namespace": service_namespace, "port": 80}]}],
    }});
    let id = ObjectId::new(Kind::HttpRoute, "shop", name);
    (id, Some(Object::HttpRoute(parsed(route))))
}

fn gateway(name: &str, class: &str, from: &str, port: u16) -> (ObjectId, Option<Object>) {
    let allowed = json!({"namespaces": {"from": from, "selector": {}}});
    let gateway = json!({"metadata": {}, "spec": {"gatewayClassName": class, "listeners": [
        {"name": "http", "port": port, "protocol": "HTTP", "allowedRoutes": allowed},
    ]}});
    let id = ObjectId::new(Kind::Gateway, "infra", name);
    (id, Some(Object::Gateway(parsed(gateway))))
}

fn class(name: &str) -> (ObjectId, Option<Object>) {
    let class = json!({"metadata": {}, "spec": {"controllerName": "example.com/envoy"}});
    let id = ObjectId::new(Kind::GatewayClass, "", name);
    (id, Some(Object::GatewayClass(parsed(class))))
}

fn namespace(name: &str) -> (ObjectId, Option<Object>) {
    let metadata = serde_json::from_value(json!({"labels": {"team": "red"}})).unwrap();
    let id = ObjectId::new(Kind::Namespace, "", name);
    (
        id,
        Some(Object::Namespace(Box::new(NamespaceObject { metadata }))),
    )
}

fn grant(namespace: &str) -> (ObjectId, Option<Object>) {
    let grant = json!({"metadata": {}, "spec": {"from": [], "to": []}});
    let id = ObjectId::new(Kind::ReferenceGrant, namespace, "any");
    (id, Some(Object::ReferenceGrant(parsed(grant))))
}

#[test]
fn a_change_makes_new_the_routes_that_follow_from_it() {
    let mut index = Index::default();
    let objects = vec![
        gateway("all", "envoy", "All", 80),
        gateway("chosen", "envoy", "Selector", 80),
        gateway("other", "nginx", "All", 80),
        route("all-1", "all", "shop"),
        route("all-2", "all", "api"),
        route("chosen", "chosen", "shop"),
        route("other", "other", "blog"),
        route("gone", "gone", "api"),
    ];
    index.apply(objects, Vec::new());
    for ((id, object), expected) in [
        (gateway("all", "envoy", "All", 81), &["all-1", "all-2"][..]),
        (gateway("gone", "envoy", "All", 81), &["gone"]),
        (gateway("new", "envoy", "All", 81), &[]),
        (class("envoy"), &["all-1", "all-2", "chosen"]),
        (class("nginx"), &["other"]),
        (class("new"), &[]),
        (namespace("shop"), &["chosen"]),
        (namespace("blog"), &[]),
        // Of a route that nobody takes, nothing is read.
        (grant("api"), &["all-2"]),
        (grant("blog"), &["other"]),
        (grant("shop"), &[]),
    ] {
        let replaced = index.objects.set(&id, object).unwrap();
        let mut dirty = Dirty::default();
        index.mark(&id, &replaced, &mut dirty);
        let names: Vec<&str> = dirty.routes.iter().map(|route| &*route.name).collect();
        assert_eq!(names, expected, "{id}");
    }
}

/// Everything of one app that has one endpoint, or none.
fn app(name: &str, is_ready: bool) -> Vec<(ObjectId, Option<Object>)> {
    let id = |kind| ObjectId::new(kind, "shop", name);
    let route = json!({
        "metadata": {"annotations": {"wakegate.dev/scale-to-zero": "true"}},
        "spec": {"hostnames": [format!("{name}.test")], "rules": [{"backendRefs": [{"name": name, "port": 80}]}]},
    });
    let service = json!({"metadata": {}, "spec": {
        "selector": {"app": name},
        "ports": [{"name": "http", "port": 80}],
    }});
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": is_ready}}],
    });
    let of = |kind, object| (id(kind), Some(object));
    vec![
        of(Kind::HttpRoute, Object::HttpRoute(parsed(route))),
        of(Kind::Service, Object::Service(parsed(service))),
        of(Kind::EndpointSlice, Object::EndpointSlice(parsed(slice))),
    ]
}

#[test]
fn a_ready_endpoint_costs_the_same_among_many_routes_as_among_few() {
    for n_apps in [1, 300] {
        let mut index = Index::default();
        let apps = (0..n_apps).flat_map(|n| app(&format!("app-{n}"), false));
        let before = index.apply(apps.collect(), Vec::new()).unwrap();
        let slice = app("app-0", true).pop().unwrap();
        let after = index.apply(vec![slice], Vec::new()).unwrap();
        let once = Renewed {
            routes: 0,
            services: 1,
            workloads: 1,
        };
        assert_eq!(index.renewed(), once, "of {n_apps}");
        let changed = after.changed_since(before.sequence).unwrap();
        let n_changed = (
            changed.routes.len(),
            changed.backends.len(),
            changed.workloads.len(),
            changed.services.len(),
        );
        assert_eq!(n_changed, (0, 1, 1, 1), "of {n_apps}");
        // Nobody's writes follow from it.
        assert_eq!(after.scaled_objects_since, before.scaled_objects_since);
    }
}

/// A field without effect does not make an object one that could not be read.
#[test]
fn what_the_source_refuses_is_told_from_what_is_found_later() {
    let read = ObjectId::new(Kind::InterceptorRoute, "shop", "read");
    let refused = ObjectId::new(Kind::InterceptorRoute, "shop", "refused");
    let spec: wakegate_api::http_add_on::InterceptorRouteSpec = parsed(json!({
        "target": {"service": "web", "port": 80},
        "scalingMetric": {"concurrency": {"targetValue": 1}},
        "timeouts": {"responseHeader": "5s"},
    }));
    let object = Object::AddOn(Box::new(crate::object::AddOnObject {
        metadata: parsed(json!({})),
        reading: Arc::new(spec.read().unwrap()),
    }));
    let finding = Finding::new(&refused, "spec.target", "two ports");
    let mut index = Index::default();
    let snapshot = index.apply(vec![(read.clone(), Some(object))], vec![finding.clone()]);
    let snapshot = snapshot.unwrap();
    assert!(
        snapshot
            .findings
            .iter()
            .any(|it| it.id.as_ref() == Some(&read))
    );
    let all: Vec<_> = snapshot.refused.iter().collect();
    assert_eq!(all, [(&refused, &finding)]);
}
