//! `wakegate doctor` and Secrets: only those with certificates are looked into, and nobody has to allow that.

use std::time::Duration;

use serde_json::{Value, json};

use super::{run, serve, status, text};

#[test]
fn doctor_does_without_secrets_and_names_what_it_may_not_list() {
    let empty = json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [] });
    let answer = move |url: &str| {
        if url.contains("/secrets") {
            return status(403, "you may not list secrets");
        }
        if url.contains("/envoyproxies") {
            return status(403, "you may not list envoyproxies");
        }
        (200, empty.clone())
    };
    let config = serve(Box::new(answer), Duration::ZERO);
    let output = run(&config, "doctor", &["-n", "shop"]);
    let report = text(output.stdout);
    assert_eq!(output.status.code(), Some(3), "{report}");
    assert_eq!(
        report,
        "Not read: envoyproxies of namespace shop: you may not list envoyproxies\n\
         0 errors, 0 warnings, 0 notes; 0 objects read\n"
    );
}

/// A scaler with its certificate by hand, and Secrets of which only names are listed.
fn with_certificates(url: &str) -> (u16, Value) {
    let list = |items: Value| {
        let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items });
        (200, list)
    };
    if url.contains("/deployments") {
        let volumes = json!([{ "name": "tls", "secret": { "secretName": "by-hand" } }]);
        return list(json!([{
            "metadata": {
                "name": "wakegate-scaler",
                "namespace": "wakegate",
                "labels": { "app.kubernetes.io/name": "wakegate-scaler" },
            },
            "spec": { "template": { "spec": { "volumes": volumes } } },
            "status": { "readyReplicas": 1 },
        }]));
    }
    if url.ends_with("/secrets/by-hand") {
        let secret = json!({
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": { "name": "by-hand", "namespace": "wakegate" },
            "data": { "tls.crt": "bm9uZQ==", "tls.key": "c2VjcmV0" },
        });
        return (200, secret);
    }
    if url.contains("/secrets?") {
        let names = ["by-hand", "wakegate-scaler-tls", "wakegate-ca", "other"];
        let metadata =
            names.map(|name| json!({ "metadata": { "name": name, "namespace": "wakegate" } }));
        return list(json!(metadata));
    }
    if url.contains("/secrets/") {
        return status(403, "you may not get that");
    }
    list(json!([]))
}

#[test]
fn doctor_looks_into_the_secrets_of_certificates_and_into_no_other() {
    let config = serve(Box::new(with_certificates), Duration::ZERO);
    let output = run(&config, "doctor", &["-n", "wakegate"]);
    let report = text(output.stdout);
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert!(report.contains("Secret wakegate/by-hand\n"), "{report}");
    assert!(report.contains("[certificate-unreadable]"), "{report}");
    let unseen =
        "whether the certificates in wakegate/wakegate-scaler-tls are valid cannot be seen";
    assert!(report.contains(unseen), "{report}");
    assert!(report.contains("5 objects read"), "{report}");
}

#[test]
fn who_may_not_list_secrets_is_told_of_certificates_by_their_names() {
    let answer = |url: &str| match url {
        url if url.contains("/secrets?") => status(403, "you may not list secrets"),
        url if url.ends_with("/secrets/wakegate-control-plane-tls") => status(404, "not found"),
        url => with_certificates(url),
    };
    let config = serve(Box::new(answer), Duration::ZERO);
    let output = run(&config, "doctor", &["-n", "wakegate"]);
    let report = text(output.stdout);
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert!(report.contains("[certificate-unreadable]"), "{report}");
    assert!(
        report.contains("in wakegate/wakegate-scaler-tls are"),
        "{report}"
    );
}
