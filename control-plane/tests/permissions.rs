//! `deploy/base` lets the control plane do what it does, and no more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use wakegate_control_plane::object::Kind;

/// Group, resource and verb.
type Permission = (String, String, String);

fn permissions(file: &str) -> BTreeSet<Permission> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/base");
    let text = fs::read_to_string(path.join(file)).unwrap();
    let first = text.split("\n---\n").next().unwrap();
    let role: ClusterRole = serde_saphyr::from_str(first).unwrap();
    role.rules.unwrap().iter().flat_map(of_rule).collect()
}

fn of_rule(rule: &PolicyRule) -> Vec<Permission> {
    let (groups, resources) = (
        rule.api_groups.as_ref().unwrap(),
        rule.resources.as_ref().unwrap(),
    );
    let pairs = groups
        .iter()
        .flat_map(|group| resources.iter().map(move |resource| (group, resource)));
    let verbs = |(group, resource): (&String, &String)| {
        let (group, resource) = (group.clone(), resource.clone());
        let verbs = rule.verbs.clone().into_iter();
        verbs.map(move |verb| (group.clone(), resource.clone(), verb))
    };
    pairs.flat_map(verbs).collect()
}

fn permission((group, resource, verb): (&str, &str, &str)) -> Permission {
    (group.to_owned(), resource.to_owned(), verb.to_owned())
}

#[test]
fn every_kind_is_watched_and_nothing_else_read_but_pods() {
    let kinds = Kind::ALL.into_iter().flat_map(|kind| {
        ["list", "watch"].map(|verb| permission((kind.group(), kind.plural(), verb)))
    });
    let pods = permission(("", "pods", "list"));
    let expected: BTreeSet<Permission> = kinds.chain([pods]).collect();
    assert_eq!(permissions("control-plane-reads.yaml"), expected);
}

#[test]
fn nothing_of_a_users_is_written_but_a_status_and_a_finalizer() {
    let expected = [
        ("keda.sh", "scaledobjects", "create"),
        ("keda.sh", "scaledobjects", "patch"),
        ("keda.sh", "scaledobjects", "delete"),
        ("wakegate.dev", "wakepolicies/status", "patch"),
        ("http.keda.sh", "interceptorroutes/status", "patch"),
        ("http.keda.sh", "httpscaledobjects/status", "patch"),
        ("http.keda.sh", "httpscaledobjects", "patch"),
        ("http.keda.sh", "httpscaledobjects/finalizers", "update"),
        ("events.k8s.io", "events", "create"),
    ];
    let expected: BTreeSet<Permission> = expected.into_iter().map(permission).collect();
    assert_eq!(permissions("control-plane-writes.yaml"), expected);
}
