//! `deploy/base` lets the control plane do what it does, and no more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role, RoleBinding};
use wakegate_control_plane::object::Kind;

/// Namespace, name and verb.
type SecretPermission = (Option<String>, String, String);

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

/// What a file lets the control plane do with Secrets, each by its name.
fn of_secrets(file: &str) -> BTreeSet<SecretPermission> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let text = fs::read_to_string(path.join(file)).unwrap();
    let (role, binding) = text.split_once("\n---\n").unwrap();
    let role: Role = serde_saphyr::from_str(role).unwrap();
    let binding: RoleBinding = serde_saphyr::from_str(binding).unwrap();
    let namespace = role.metadata.namespace;
    assert_eq!(binding.metadata.namespace, namespace);
    assert_eq!(Some(binding.role_ref.name), role.metadata.name);
    let [subject] = binding.subjects.unwrap().try_into().unwrap();
    let account = (&*subject.name, subject.namespace.as_deref());
    assert_eq!(account, ("wakegate-control-plane", Some("wakegate")));
    let rules = role.rules.unwrap().into_iter();
    let permissions = rules.flat_map(|rule| {
        assert_eq!(rule.api_groups.unwrap(), [""]);
        assert_eq!(rule.resources.unwrap(), ["secrets"]);
        let (verbs, namespace) = (rule.verbs, namespace.clone());
        let names = rule.resource_names.unwrap().into_iter();
        names.flat_map(move |name| {
            let permission = |verb: &String| (namespace.clone(), name.clone(), verb.clone());
            verbs.iter().map(permission).collect::<Vec<_>>()
        })
    });
    permissions.collect()
}

#[test]
fn each_secret_is_read_and_written_by_name_and_none_is_listed_or_deleted() {
    let (own, keda) = (Some("wakegate"), Some("keda"));
    for (file, namespace, names) in [
        (
            "base/control-plane-certifies.yaml",
            own,
            &[
                "wakegate-ca",
                "wakegate-control-plane-tls",
                "wakegate-scaler-tls",
                "wakegate-filter-tls",
            ][..],
        ),
        (
            "keda/control-plane-certifies.yaml",
            keda,
            &["wakegate-keda-tls"],
        ),
        (
            "filters/control-plane-certifies.yaml",
            None,
            &["wakegate-filter-tls"],
        ),
    ] {
        let permission = |name: &str, verb: &str| {
            (
                namespace.map(str::to_owned),
                name.to_owned(),
                verb.to_owned(),
            )
        };
        let mut expected: BTreeSet<_> = names
            .iter()
            .flat_map(|name| ["get", "create", "patch"].map(|verb| permission(name, verb)))
            .collect();
        if namespace == own {
            expected.insert(permission("wakegate-ca", "update"));
        }
        assert_eq!(of_secrets(file), expected, "{file}");
    }
}
