use clap::{CommandFactory as _, Parser as _};

use wakegate_runtime::tls::Allowed;

use super::*;

const NAME: &str = "wakegate-control-plane";

fn config(flags: &[&str]) -> anyhow::Result<Config> {
    let args = Args::try_parse_from([&[NAME, "--plain-text"], flags].concat())?;
    Config::try_from(args)
}

fn kubernetes(flags: &[&str]) -> Kubernetes {
    match config(flags).unwrap().source {
        Source::Kubernetes(kubernetes) => *kubernetes,
        Source::Files { manifests } => panic!("it reads {}", manifests.display()),
    }
}

#[track_caller]
fn refused(flags: &[&str], reason: &str) {
    let error = config(flags).unwrap_err().to_string();
    assert!(error.contains(reason), "{flags:?}: {error}");
}

#[test]
fn flags_hold_together() {
    Args::command().debug_assert();
}

#[test]
fn manifests_must_be_a_directory() {
    refused(&["--manifests", "/nowhere"], "--manifests /nowhere");
    refused(&["--manifests", "Cargo.toml"], "not a directory");
}

#[test]
fn there_is_one_source() {
    let manifests = ["--manifests", "."];
    let config = config(&manifests).unwrap();
    assert!(matches!(config.source, Source::Files { manifests } if manifests.is_absolute()));
    for flag in [
        ["--namespace", "shop"],
        ["--scaler-address", "scaler:9090"],
        ["--polling-interval-secs", "5"],
        ["--peer-address", "10.0.0.1:18000"],
        ["--explain-after-secs", "5"],
        ["--filter-namespace", "edge"],
        ["--certificate-overlap-secs", "5"],
    ] {
        refused(
            &[manifests, flag].concat(),
            &format!("'--manifests <DIR>' cannot be used with '{}", flag[0]),
        );
    }
}

#[test]
fn namespaces_and_classes_may_be_several() {
    assert!(kubernetes(&[]).namespaces.is_empty());
    let flags = ["--namespace", "shop", "--namespace", "blog"];
    assert_eq!(
        kubernetes(&flags).namespaces,
        ["blog", "shop"].map(String::from).into()
    );
    assert_eq!(config(&[]).unwrap().gateway_classes, None);
    let classes = config(&["--gateway-class", "a", "--gateway-class", "b"]).unwrap();
    assert_eq!(
        classes.gateway_classes,
        Some(["a", "b"].map(String::from).into())
    );
}

#[test]
fn names_and_addresses_are_checked() {
    refused(&["--namespace", "Shop"], "\"Shop\" is no namespace");
    refused(&["--lease-namespace", ""], "\"\" is no namespace");
    for address in ["scaler", "scaler:0", ":9090", "http://scaler:9090"] {
        let reason = format!("--scaler-address {address}: not HOST:PORT");
        refused(&["--scaler-address", address], &reason);
    }
    kubernetes(&["--peer-address", "[::1]:18000"]);
}

#[test]
fn an_identity_that_is_not_given_is_unlike_any_other() {
    assert_eq!(kubernetes(&["--identity", "cp-0"]).identity, "cp-0");
    assert_ne!(kubernetes(&[]).identity, kubernetes(&[]).identity);
}

fn config_of(flags: &[&str]) -> anyhow::Result<Config> {
    Config::try_from(Args::try_parse_from([&[NAME], flags].concat())?)
}

#[test]
fn without_a_word_of_tls_the_authority_is_an_own_one_where_it_can_be_kept() {
    let config = config_of(&[]).unwrap();
    let allowed = Allowed::default();
    assert_eq!(config.tls, TlsSetting::Unsaid { allowed });
    let error = config_of(&["--manifests", "."]).unwrap_err().to_string();
    assert!(
        error.starts_with("give --tls-dir DIR, or --plain-text"),
        "{error}"
    );
    let both = config_of(&["--plain-text", "--tls-dir", "/certs"]).unwrap_err();
    assert_eq!(
        both.to_string(),
        "--tls-dir and --plain-text exclude each other"
    );
}

#[test]
fn keda_authenticates_where_there_is_tls() {
    let of = |flags: &[&str]| match config_of(flags).unwrap().source {
        Source::Kubernetes(kubernetes) => kubernetes.keda_authentication,
        Source::Files { .. } => panic!("files"),
    };
    let named = |kind: &str, name: &str| {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        Some(KedaAuthentication { kind, name })
    };
    let usual = named("ClusterTriggerAuthentication", "wakegate");
    assert_eq!(of(&[]), usual);
    assert_eq!(of(&["--tls-dir", "/certs"]), usual);
    assert_eq!(of(&["--plain-text"]), None);
    assert_eq!(
        of(&["--keda-authentication", "TriggerAuthentication/own"]),
        named("TriggerAuthentication", "own")
    );
    refused(&["--keda-authentication", "Secret/own"], "is no kind");
    refused(
        &["--keda-authentication", "TriggerAuthentication/"],
        "give [KIND/]NAME",
    );
}

#[test]
fn an_authority_outlives_what_it_signs_and_holders_are_named() {
    let lifetimes = |authority, certificate, overlap| {
        [
            "--authority-lifetime-secs",
            authority,
            "--certificate-lifetime-secs",
            certificate,
            "--certificate-overlap-secs",
            overlap,
        ]
    };
    let authority = kubernetes(&lifetimes("60", "12", "3")).authority;
    assert_eq!(authority.lifetimes.overlap, Duration::from_secs(3));
    for [authority, certificate, overlap] in [["59", "12", "3"], ["60", "12", "4"]] {
        let flags = lifetimes(authority, certificate, overlap);
        refused(&flags, "--certificate-overlap-secs");
    }
    refused(&["--filter-namespace", "Edge"], "\"Edge\" is no namespace");
    refused(&["--keda-namespace", ""], "\"\" is no namespace");

    let flags = [
        "--lease-namespace",
        "ours",
        "--filter-namespace",
        "a,b",
        "--scaler-address",
        "s:1",
    ];
    let holders = kubernetes(&flags).authority.holders;
    assert_eq!(holders.namespace, "ours");
    assert_eq!(
        holders.filter_namespaces,
        ["a", "b"].map(String::from).into()
    );
    assert_eq!(
        (&*holders.keda_namespace, &*holders.scaler_address),
        ("keda", "s:1")
    );
}
