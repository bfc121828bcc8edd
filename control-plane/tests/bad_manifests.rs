//! Kinds of bad manifest, each with what is said of it, while the good one beside it is served.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;

use wakegate_control_plane::{
    index::Index,
    source::files::{Batch, FileSet},
};

const GOOD: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {wakegate.dev/scaled-object: external}}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, annotations: {wakegate.dev/scale-to-zero: "true"}}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
"#;

/// What is found when `bad` stands beside the good objects, in a file of its own and in theirs.
#[track_caller]
fn check(bad: &[u8], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.yaml"), bad).unwrap();
    fs::write(dir.path().join("good.yaml"), GOOD).unwrap();
    let mut files = FileSet::new(dir.path());
    let changes = files.reload(&Batch::Everything).unwrap().unwrap();
    let snapshot = Index::default().apply(changes, files.findings()).unwrap();
    assert_eq!(snapshot.routes.size(), 1, "the good route is served");
    let findings: Vec<String> = snapshot.findings.iter().map(ToString::to_string).collect();
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}")
    };
    assert!(
        finding.contains(expected),
        "\n{finding}\ndoes not say\n{expected}"
    );
}

#[test]
fn a_file_that_is_no_yaml() {
    check(b"kind: Service\n  name: [", "bad.yaml, document 1: ");
}

#[test]
fn a_file_that_is_not_utf8() {
    check(b"kind: \xff", "bad.yaml: not UTF-8: invalid utf-8 sequence");
}

#[test]
fn a_key_that_stands_twice() {
    check(b"kind: Service\nkind: Service\n", "bad.yaml, document 1: ");
}

#[test]
fn a_document_that_is_no_object() {
    check(
        b"just text",
        "bad.yaml, document 1: expected an object with apiVersion and kind, found a string",
    );
}

#[test]
fn an_object_without_kind() {
    check(
        b"---\napiVersion: v1\nmetadata: {name: a}",
        "bad.yaml, document 1: kind: missing; it is not used",
    );
}

#[test]
fn an_object_without_name() {
    check(
        b"apiVersion: v1\nkind: Service\nmetadata: {}",
        "document 1: metadata.name: missing",
    );
}

#[test]
fn a_name_that_is_none() {
    check(
        b"apiVersion: v1\nkind: Service\nmetadata: {name: Web_1}",
        "metadata.name: \"Web_1\" is no name",
    );
}

#[test]
fn a_version_that_is_not_read() {
    check(
        b"apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}",
        "bad.yaml, document 1, Ingress default/a: apiVersion: \"extensions/v1beta1\" is not read; networking.k8s.io/v1 is",
    );
}

#[test]
fn a_field_of_the_wrong_type() {
    check(
        b"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}, {port: http}]}",
        "bad.yaml, document 1, Service default/a: spec.ports[1].port: invalid type: string \"http\", expected i32",
    );
}

#[test]
fn a_value_that_is_none_of_those_allowed() {
    check(
        b"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}
spec: {rules: [{matches: [{method: FETCH}]}]}",
        "HTTPRoute default/a: spec.rules[0].matches[0].method: unknown variant `FETCH`",
    );
}

#[test]
fn a_field_that_is_missing() {
    check(
        b"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {scaleTargetRef: {}}",
        "ScaledObject default/a: spec.scaleTargetRef: missing field `name`",
    );
}

#[test]
fn each_kind_of_gateway_api_that_is_wrong() {
    for (kind, rest, expected) in [
        (
            "GRPCRoute",
            "spec: {rules: [{matches: [{method: {type: Prefix}}]}]}",
            "GRPCRoute default/a: spec.rules[0].matches[0].method.type: unknown variant `Prefix`",
        ),
        (
            "GRPCRoute",
            "spec: {hostnames: ['a:80']}",
            "GRPCRoute default/a: spec.hostnames[0]: \"a:80\" is no host name",
        ),
        (
            "Gateway",
            "spec: {listeners: []}",
            "Gateway default/a: spec: missing field `gatewayClassName`",
        ),
        (
            "Gateway",
            "spec: {gatewayClassName: c, listeners: [{name: l, port: 80, protocol: HTTP, hostname: 'a:80'}]}",
            "Gateway default/a: spec.listeners[0].hostname: \"a:80\" is no host name; the listener takes no routes",
        ),
        (
            "GatewayClass",
            "spec: {}",
            "GatewayClass a: spec: missing field `controllerName`",
        ),
        (
            "ReferenceGrant",
            "spec: {from: []}",
            "ReferenceGrant default/a: spec: missing field `to`",
        ),
        (
            "ReferenceGrant",
            "spec: {from: [], to: [{group: core, kind: Service}]}",
            "ReferenceGrant default/a: spec.to[0].group: the group of Service is \"\" and not \"core\"",
        ),
    ] {
        let version = "apiVersion: gateway.networking.k8s.io/v1";
        let bad = format!("{version}\nkind: {kind}\nmetadata: {{name: a}}\n{rest}");
        check(bad.as_bytes(), expected);
    }
    check(
        b"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: [red]}",
        "Namespace a: metadata.labels: invalid type: sequence, expected a map",
    );
}

#[test]
fn an_annotation_that_is_not_understood() {
    check(
        b"apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {wakegate.dev/max-heldd: '1'}}\nspec: {}",
        "did you mean wakegate.dev/max-held?",
    );
}

#[test]
fn an_object_that_stands_in_two_files() {
    let twice = GOOD.split("---").next().unwrap();
    check(
        twice.as_bytes(),
        "Service shop/web: it is in bad.yaml and in good.yaml; the first counts",
    );
}

#[test]
fn a_bomb_of_aliases() {
    let levels = (1..12).map(|level| {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("a{level}: &a{level} [{inner}]\n")
    });
    let bomb: String = std::iter::once("a0: &a0 [x, x, x]\n".to_owned())
        .chain(levels)
        .collect();
    check(bomb.as_bytes(), "bad.yaml, document 1: ");
}

#[test]
fn a_policy_with_a_wrong_field() {
    check(
        b"apiVersion: wakegate.dev/v1alpha1\nkind: WakePolicy\nmetadata: {name: a, namespace: shop}\n\
          spec: {targetRefs: [{kind: Service, name: web}], hold: {timeout: soon}}",
        "WakePolicy shop/a: spec.hold.timeout: \"soon\" is not a duration from 1ms to 1h",
    );
}

/// The rules of its schema count for a file too.
#[test]
fn an_interceptor_route_that_cannot_be_read() {
    let of = |target: &str| {
        format!(
            "apiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {{name: x, namespace: shop}}\n\
             spec: {{target: {target}, scalingMetric: {{concurrency: {{targetValue: 1}}}}}}\n"
        )
    };
    let target = of("{service: web, port: 80, portName: http}");
    let expected = "InterceptorRoute shop/x: spec.target: port and portName are both there: remove one; it is not used";
    check(target.as_bytes(), expected);
}

/// What an API server would drop is said, and the rest counts.
#[test]
fn a_field_that_its_kind_does_not_have() {
    let route = b"apiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {name: x, namespace: shop}\n\
                  spec:\n  target: {service: web, port: 80}\n  rules: [{host: x.test, paths: [{value: /x}]}]\n  \
                  scalingMetric: {concurrency: {targetValue: 1}}\n";
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("route.yaml"), route).unwrap();
    fs::write(dir.path().join("good.yaml"), GOOD).unwrap();
    let mut files = FileSet::new(dir.path());
    let changes = files.reload(&Batch::Everything).unwrap().unwrap();
    let snapshot = Index::default().apply(changes, files.findings()).unwrap();
    assert_eq!(snapshot.routes.size(), 2);
    let findings: Vec<String> = snapshot.findings.iter().map(ToString::to_string).collect();
    let expected = "InterceptorRoute shop/x: spec.rules[0].host: no such field; did you mean hosts?; it is passed over";
    assert_eq!(findings, [expected]);
}
