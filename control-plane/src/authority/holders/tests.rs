use std::fs;

use serde_json::{Value, json};

use super::*;

fn holders(scaler_address: &str) -> BTreeMap<Place, Profile> {
    Holders {
        namespace: "wakegate".to_owned(),
        filter_namespaces: ["edge", "wakegate"].map(str::to_owned).into(),
        keda_namespace: "keda".to_owned(),
        scaler_address: scaler_address.to_owned(),
    }
    .profiles()
}

fn names(holders: &BTreeMap<Place, Profile>, name: &str) -> Vec<String> {
    let profile = holders
        .iter()
        .find(|(place, _)| place.name == name)
        .unwrap()
        .1;
    let name = |name: &Name| match name {
        Name::Dns(name) => name.clone(),
        Name::Ip(address) => address.to_string(),
    };
    profile.names.iter().map(name).collect()
}

#[test]
fn each_part_has_a_secret_in_its_namespace_and_filters_in_each_of_theirs() {
    let holders = holders("wakegate-scaler.wakegate:9090");
    let secrets: Vec<_> = holders
        .iter()
        .map(|(place, profile)| {
            (
                &*place.namespace,
                place.name,
                profile.uri,
                profile.is_server,
            )
        })
        .collect();
    assert_eq!(
        secrets,
        [
            ("edge", FILTER, "spiffe://wakegate.dev/filter", false),
            ("keda", KEDA, "spiffe://wakegate.dev/keda", false),
            (
                "wakegate",
                CONTROL_PLANE,
                "spiffe://wakegate.dev/control-plane",
                true
            ),
            ("wakegate", FILTER, "spiffe://wakegate.dev/filter", false),
            ("wakegate", SCALER, "spiffe://wakegate.dev/scaler", true),
        ]
    );
}

#[test]
fn a_server_has_every_name_of_its_service_and_the_scaler_the_one_that_keda_checks() {
    let names_of = |address| names(&holders(address), SCALER);
    let usual = [
        "localhost",
        "wakegate-scaler",
        "wakegate-scaler.wakegate",
        "wakegate-scaler.wakegate.svc",
        "wakegate-scaler.wakegate.svc.cluster.local",
    ];
    assert_eq!(names_of("wakegate-scaler.wakegate:9090"), usual);
    for (address, name) in [
        ("scaler.example.com:443", "scaler.example.com"),
        ("10.0.0.9:9090", "10.0.0.9"),
        ("[fd00::9]:9090", "fd00::9"),
    ] {
        let names = names_of(address);
        assert!(names.iter().any(|known| known == name), "{names:?}");
        assert_eq!(names.len(), usual.len() + 1);
    }
    let names = names(&holders("a:1"), CONTROL_PLANE);
    assert!(
        names
            .iter()
            .any(|name| name == "wakegate-control-plane.wakegate.svc")
    );
    assert_eq!(names.len(), usual.len());
}

/// The objects of a file in `deploy`.
fn objects(file: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/cert-manager/");
    let text = fs::read_to_string(format!("{path}{file}")).unwrap();
    let documents = text.split("\n---\n");
    documents
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

/// What a profile is in cert-manager's words.
fn certificate(place: &Place, profile: &Profile) -> Value {
    let Place { namespace, name } = place;
    let names = profile.names.iter().map(|name| match name {
        Name::Dns(name) => name.as_str(),
        Name::Ip(address) => panic!("{address} is no name of an installation"),
    });
    let server = profile.is_server.then_some("server auth");
    let usages = [Some("digital signature"), server, Some("client auth")];
    let mut spec = json!({
        "secretName": name,
        "commonName": profile.common_name,
        "uris": [profile.uri],
        "usages": usages.into_iter().flatten().collect::<Vec<_>>(),
        "duration": "720h",
        "renewBefore": "240h",
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "wakegate"},
    });
    if profile.is_server {
        spec["dnsNames"] = names.collect();
    }
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "wakegate"},
        },
        "spec": spec,
    })
}

#[test]
fn cert_manager_is_asked_for_the_certificates_that_the_own_authority_makes() {
    let holders = Holders {
        namespace: "wakegate".to_owned(),
        filter_namespaces: BTreeSet::new(),
        keda_namespace: "keda".to_owned(),
        scaler_address: "wakegate-scaler.wakegate:9090".to_owned(),
    };
    let expected = holders.profiles();
    let asked = ["daemons.yaml", "filters.yaml", "keda.yaml"]
        .into_iter()
        .flat_map(objects);
    let asked: Vec<Value> = asked.collect();
    assert_eq!(asked.len(), expected.len());
    for (place, profile) in &expected {
        let expected = certificate(place, profile);
        assert!(
            asked.contains(&expected),
            "{expected:#} is not among {asked:#?}"
        );
    }
}
