//! Which routes are ours, by how the index is told to serve.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use wakegate_control_plane::{
    index::{Index, Parents, Serving},
    object::{Code, Kind, Object, ObjectId},
};

type Change = (ObjectId, Option<Object>);

fn service() -> Change {
    let service = json!({
        "metadata": {"annotations": {"wakegate.dev/scaled-object": "external"}},
        "spec": {"ports": [{"port": 80}]},
    });
    let service = serde_json::from_value(service).unwrap();
    let id = ObjectId::new(Kind::Service, "shop", "web");
    (id, Some(Object::Service(service)))
}

/// A route of the Gateway `shop/public`.
fn route() -> Change {
    let route = json!({
        "metadata": {"annotations": {"wakegate.dev/scale-to-zero": "true"}},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
        },
    });
    let id = ObjectId::new(Kind::HttpRoute, "shop", "web");
    (
        id,
        Some(Object::HttpRoute(serde_json::from_value(route).unwrap())),
    )
}

fn gateway(name: &str) -> Change {
    let gateway = json!({
        "metadata": {},
        "spec": {
            "gatewayClassName": "envoy",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    });
    let id = ObjectId::new(Kind::Gateway, "shop", name);
    (
        id,
        Some(Object::Gateway(serde_json::from_value(gateway).unwrap())),
    )
}

fn class(accepted: &str) -> Change {
    let class = json!({
        "metadata": {},
        "spec": {"controllerName": "example.com/envoy"},
        "status": {"conditions": [{
            "type": "Accepted",
            "status": accepted,
            "reason": "Tested",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    });
    let id = ObjectId::new(Kind::GatewayClass, "", "envoy");
    (
        id,
        Some(Object::GatewayClass(serde_json::from_value(class).unwrap())),
    )
}

fn serving(gateway_classes: Option<&[&str]>, parents: Parents) -> Serving {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Serving {
        gateway_classes: gateway_classes.map(names),
        parents,
    }
}

/// With a finding for the route where it is not ours; nothing where it is.
#[track_caller]
fn check(index: &Index, expected: Option<&str>) {
    let snapshot = index.snapshot();
    assert_eq!(snapshot.routes.size(), usize::from(expected.is_none()));
    let findings: Vec<_> = snapshot.findings.iter().collect();
    assert_eq!(
        findings.len(),
        usize::from(expected.is_some()),
        "{findings:?}"
    );
    for (finding, expected) in findings.iter().zip(expected) {
        assert_eq!(finding.code, Code::NotAttached);
        assert_eq!(finding.id, Some(route().0));
        assert_eq!(finding.field, "spec.parentRefs[0]");
        assert!(finding.reason.contains(expected), "{finding}");
    }
}

#[test]
fn a_route_is_ours_when_a_gateway_that_we_serve_takes_it() {
    let gone = Some("there is no Gateway shop/public");
    let other = Some("Gateway shop/public is of class envoy, which is not served (a, b is)");
    let refused = Some("class envoy, which its controller does not accept");
    let (checked, if_any) = (Parents::Checked, Parents::IfAnyGateway);
    for (classes, parents, objects, expected) in [
        (None, checked, vec![], gone),
        (None, if_any, vec![], None),
        (Some(["a", "b"].as_slice()), if_any, vec![], None),
        (None, checked, vec![gateway("private")], gone),
        (None, if_any, vec![gateway("private")], gone),
        (None, checked, vec![gateway("public")], None),
        (None, if_any, vec![gateway("public")], None),
        (
            Some(["envoy"].as_slice()),
            checked,
            vec![gateway("public")],
            None,
        ),
        (
            Some(["a", "b"].as_slice()),
            checked,
            vec![gateway("public")],
            other,
        ),
        (
            Some([].as_slice()),
            checked,
            vec![gateway("public")],
            Some("is not served"),
        ),
        (
            None,
            checked,
            vec![gateway("public"), class("Unknown")],
            None,
        ),
        (
            None,
            checked,
            vec![gateway("public"), class("False")],
            refused,
        ),
    ] {
        let mut index = Index::new(serving(classes, parents));
        let changes = [vec![service(), route()], objects.clone()].concat();
        index.apply(changes, Vec::new());
        check(&index, expected);
        come_and_go(serving(classes, parents), &objects, expected);
    }
}

/// The same, one after the other.
#[track_caller]
fn come_and_go(serving: Serving, objects: &[Change], expected: Option<&str>) {
    let mut index = Index::new(serving);
    index.apply(vec![service(), route()], Vec::new());
    let without = index.snapshot();
    for object in objects {
        index.apply(vec![object.clone()], Vec::new());
    }
    check(&index, expected);
    for (id, _) in objects {
        index.apply(vec![(id.clone(), None)], Vec::new());
    }
    let snapshot = index.snapshot();
    assert_eq!(snapshot.findings, without.findings);
    assert_eq!(snapshot.routes.size(), without.routes.size());
}
