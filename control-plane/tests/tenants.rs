//! What a tenant with rights in one namespace can reach of the others: docs/security.md has the list.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, sync::Arc};

use wakegate_control_plane::{
    index::{Index, Origin, Parents, Serving},
    snapshot::Snapshot,
    source::files::{Batch, FileSet},
    wanted::WantedScaledObject,
};

/// The tenant whose host, Service and workload others are after.
const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, annotations: {wakegate.dev/scale-to-zero: \"true\"}}
spec:
  hostnames: [shop.test]
  parentRefs: [{name: public, namespace: infra}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
";

/// A Gateway that takes routes of these namespaces.
fn gateway(allowed: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public, namespace: infra}}
spec:
  gatewayClassName: envoy
  listeners: [{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {allowed}}}}}]
"
    )
}

const ONLY_SHOP: &str =
    "{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}";

const NAMESPACES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}
---
apiVersion: v1
kind: Namespace
metadata: {name: evil, labels: {kubernetes.io/metadata.name: evil}}
";

/// A Service of the other tenant, and what else it writes.
fn evil(objects: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: trap, namespace: evil}}
spec: {{ports: [{{port: 80}}]}}
---
{objects}"
    )
}

fn snapshot(documents: &[&str]) -> Arc<Snapshot> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("objects.yaml"), documents.join("\n---\n")).unwrap();
    let mut files = FileSet::new(dir.path());
    let changes = files.reload(&Batch::Everything).unwrap().unwrap();
    let serving = Serving {
        gateway_classes: None,
        parents: Parents::Checked,
    };
    let snapshot = Index::new(serving).apply(changes, files.findings());
    let snapshot = snapshot.unwrap();
    let unread = snapshot.findings.iter().find(|it| it.id.is_none());
    assert_eq!(unread, None);
    snapshot
}

/// What leads to a namespace, of the table of a filter that is for everything.
fn routes_to(snapshot: &Snapshot, namespace: &str) -> Vec<String> {
    routes_in(snapshot, namespace, |_| true)
}

/// The same of a filter that is for these.
fn routes_in(
    snapshot: &Snapshot,
    namespace: &str,
    has: impl Fn(&Origin) -> bool + Copy,
) -> Vec<String> {
    let begins = format!("{namespace}/");
    let routes = snapshot.routes.values();
    let routes = routes.filter_map(|entry| entry.part_in(has));
    let routes = routes.filter(|entry| {
        let mut targets = entry.entity.message.targets.iter();
        targets.any(|target| target.backend.starts_with(&begins))
    });
    routes
        .map(|entry| entry.entity.message.id.clone())
        .collect()
}

/// What is said of an object.
fn said_of(snapshot: &Snapshot, object: &str) -> Vec<String> {
    let findings = snapshot.findings.iter();
    let findings = findings.filter(|finding| finding.object == object);
    findings.map(|finding| finding.reason.clone()).collect()
}

const TRAP: &str = "
apiVersion: http.keda.sh/v1beta1
kind: InterceptorRoute
metadata: {name: trap, namespace: evil}
spec:
  target: {service: trap, port: 80}
  rules: [{hosts: [shop.test], paths: [{value: /pay}]}]
  scalingMetric: {concurrency: {targetValue: 1}}
";

#[test]
fn a_tenant_takes_no_request_of_a_host_that_another_has() {
    let (any, trap) = (gateway("{from: All}"), evil(TRAP));
    let snapshot = snapshot(&[SHOP, NAMESPACES, &any, &trap]);
    assert_eq!(routes_to(&snapshot, "evil"), [""; 0]);
    assert_eq!(routes_to(&snapshot, "shop"), ["HTTPRoute/shop/web/0/0"]);
    let said = said_of(&snapshot, "InterceptorRoute evil/trap");
    let reason = "HTTPRoute shop/web has shop.test and leads elsewhere: \
                  an Envoy that serves both holds no request of it for this";
    assert_eq!(said, [reason]);
}

#[test]
fn a_host_is_taken_only_in_the_envoys_that_serve_its_owner() {
    let (any, trap) = (gateway("{from: All}"), evil(TRAP));
    let own =
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: own, namespace: evil}
spec: {hostnames: [shop.test], parentRefs: [{name: private, namespace: infra}], rules: [{backendRefs: [{name: trap, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: private, namespace: infra}
spec: {gatewayClassName: envoy, listeners: [{name: http, port: 81, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}
";
    let snapshot = snapshot(&[SHOP, NAMESPACES, &any, &trap, own]);
    let of_gateway = |name: &'static str| {
        move |origin: &Origin| origin.is_everywhere || origin.gateways.contains(name)
    };
    let public = routes_in(&snapshot, "evil", of_gateway("infra/public"));
    assert_eq!(
        public, [""; 0],
        "its own route elsewhere gives it nothing here"
    );
    let private = routes_in(&snapshot, "evil", of_gateway("infra/private"));
    assert_eq!(private.len(), 1);
    let alone = routes_in(&snapshot, "evil", |origin| origin.namespace == "evil");
    assert_eq!(alone.len(), 1);
}

#[test]
fn a_host_is_free_again_when_its_owner_lets_it_go() {
    let (any, trap) = (gateway("{from: All}"), evil(TRAP));
    let snapshot = snapshot(&[NAMESPACES, &any, &trap]);
    assert_eq!(routes_to(&snapshot, "evil").len(), 1);
    assert_eq!(said_of(&snapshot, "InterceptorRoute evil/trap"), [""; 0]);
}

#[test]
fn a_route_has_no_more_than_its_gateway_gives_its_namespace() {
    let route = evil(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: trap, namespace: evil, annotations: {wakegate.dev/scale-to-zero: \"true\"}}
spec:
  hostnames: [shop.test]
  parentRefs: [{name: public, namespace: infra}]
  rules: [{matches: [{path: {value: /pay}}], backendRefs: [{name: trap, port: 80}]}]
",
    );
    let narrow = gateway(ONLY_SHOP);
    let refused = snapshot(&[SHOP, NAMESPACES, &narrow, &route]);
    assert_eq!(routes_to(&refused, "evil"), [""; 0]);
    let wide = gateway("{from: All}");
    let taken = snapshot(&[SHOP, NAMESPACES, &wide, &route]);
    assert_eq!(
        routes_to(&taken, "evil"),
        ["HTTPRoute/evil/trap/0/0"],
        "what the Gateway gives"
    );
}

#[test]
fn a_route_to_another_namespace_needs_its_grant() {
    let route = evil(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {name: grab, namespace: evil, annotations: {wakegate.dev/scale-to-zero: \"true\", wakegate.dev/max-replicas: \"99\", wakegate.dev/paused: \"true\"}}
spec:
  hostnames: [evil.test]
  parentRefs: [{name: public, namespace: infra}]
  rules: [{backendRefs: [{name: web, namespace: shop, port: 80}]}]
",
    );
    let any = gateway("{from: All}");
    let refused = snapshot(&[SHOP, NAMESPACES, &any, &route]);
    assert_eq!(routes_to(&refused, "shop"), ["HTTPRoute/shop/web/0/0"]);
    let grant = "
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: evil, namespace: shop}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: evil}], to: [{group: \"\", kind: Service}]}
";
    let granted = snapshot(&[SHOP, NAMESPACES, &any, &route, grant]);
    assert_eq!(routes_to(&granted, "shop").len(), 2);
    let wanted = |snapshot: &Snapshot| -> Vec<WantedScaledObject> {
        let objects = snapshot.scaled_objects.values();
        let without_proxies = objects.map(|object| WantedScaledObject {
            origins: Vec::new(),
            ..object.as_ref().clone()
        });
        without_proxies.collect()
    };
    let (before, after) = (wanted(&refused), wanted(&granted));
    assert_eq!(before, after, "it says nothing of the scaling");
    let paused = granted
        .backends
        .values()
        .any(|backend| backend.message.paused);
    assert!(!paused);
}

#[test]
fn a_policy_has_its_targets_in_its_own_namespace() {
    let policy = evil(
        "
apiVersion: wakegate.dev/v1alpha1
kind: WakePolicy
metadata: {name: reach, namespace: evil}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: web}, {group: \"\", kind: Service, name: web}]
  hold: {timeout: 1ms}
",
    );
    let any = gateway("{from: All}");
    let (with, without) = (
        snapshot(&[SHOP, NAMESPACES, &any, &policy]),
        snapshot(&[SHOP, NAMESPACES, &any]),
    );
    let route = |snapshot: &Snapshot| {
        let mut routes = snapshot
            .routes
            .values()
            .map(|entry| entry.entity.message.clone());
        routes.next().unwrap()
    };
    assert_eq!(route(&with), route(&without));
    let verdicts = with.policies.values();
    let ancestors: Vec<_> = verdicts.flat_map(|it| &it.ancestors).collect();
    assert!(!ancestors.is_empty());
    for ancestor in ancestors {
        assert!(ancestor.accepted.is_err(), "{ancestor:?}");
    }
}

#[test]
fn a_body_comes_from_the_objects_own_namespace() {
    let page = |namespace: &str| {
        format!(
            "
apiVersion: v1
kind: ConfigMap
metadata: {{name: page, namespace: {namespace}, labels: {{http.keda.sh/response-body: \"true\"}}}}
data: {{secret: of {namespace}}}
"
        )
    };
    let route = evil(
        "
apiVersion: http.keda.sh/v1beta1
kind: InterceptorRoute
metadata: {name: trap, namespace: evil}
spec:
  target: {service: trap, port: 80}
  rules: [{hosts: [evil.test]}]
  scalingMetric: {concurrency: {targetValue: 1}}
  coldStart: {placeholder: {response: {bodyFromConfigMap: {name: page, key: secret}}}}
",
    );
    let any = gateway("{from: All}");
    let of_shop = snapshot(&[SHOP, NAMESPACES, &any, &route, &page("shop")]);
    let text = format!("{:?}", of_shop.routes);
    assert!(!text.contains("of shop"), "{text}");
    let of_evil = snapshot(&[SHOP, NAMESPACES, &any, &route, &page("evil")]);
    assert!(format!("{:?}", of_evil.routes).contains("of evil"));
}
