//! What can be put in force, and what is said of the rest.

use std::{fs, time::SystemTime};

use wakegate_runtime::{
    Role, Tasks, Tls, TlsMetrics, TlsSetting, Transport,
    tls::{AUTHORITIES, Allowed, CERTIFICATE, Identity, KEY},
};

use crate::{
    authority::{Authority, ended, params},
    harness::{Metrics, text},
};

#[track_caller]
fn refused(identity: &Identity, reason: &str) {
    let outcome = Tls::new(
        identity,
        Allowed::default(),
        TlsMetrics::default(),
        SystemTime::now(),
    );
    let error = outcome.unwrap_err().to_string();
    assert!(error.starts_with(reason), "{error}");
}

#[test]
fn an_identity_that_cannot_be_used_is_refused_with_the_file_and_the_reason() {
    let authority = Authority::new("ours");
    let good = authority.identity(Role::Scaler);
    let other = authority.identity(Role::Scaler);
    let with = |change: &dyn Fn(&mut Identity)| {
        let mut identity = good.clone();
        change(&mut identity);
        identity
    };
    refused(
        &with(&|it| it.key.clone_from(&other.key)),
        "tls.key: it is not the key of",
    );
    refused(&with(&|it| it.key.clear()), "tls.key: no private key in it");
    refused(
        &with(&|it| it.certificate.clear()),
        "tls.crt: no certificate in it",
    );
    refused(
        &with(&|it| it.authorities.clear()),
        "ca.crt: no certificate in it",
    );
    refused(
        &with(&|it| it.certificate.truncate(200)),
        "tls.crt: it is not PEM, or cut off",
    );
    refused(
        &with(&|it| it.key.truncate(100)),
        "tls.key: no private key in it",
    );
    let late = authority.signed(&ended(params(&[Role::Scaler.san()])));
    refused(&late, "tls.crt: the certificate ended Jan  1 00:00:00 2020");
    let mut early = params(&[Role::Scaler.san()]);
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    refused(
        &authority.signed(&early),
        "tls.crt: the certificate is not valid before",
    );
    let nobody = authority.signed(&params(&["spiffe://wakegate.dev/cook"]));
    refused(
        &nobody,
        "tls.crt: none of its names (localhost, spiffe://wakegate.dev/cook) has",
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().display().to_string();
    let open = || {
        let setting = TlsSetting::Directory {
            path: dir.path().to_owned(),
            allowed: Allowed::default(),
        };
        let opened = Transport::of(setting, TlsMetrics::default(), &Tasks::default());
        format!("{:#}", opened.unwrap_err())
    };
    let error = open();
    assert!(
        error.starts_with(&format!("read {shown}/tls.crt: ")),
        "{error}"
    );
    let authority = Authority::new("ours");
    let late = authority.signed(&ended(params(&[Role::Scaler.san()])));
    for (name, content) in [
        (CERTIFICATE, &late.certificate),
        (KEY, &late.key),
        (AUTHORITIES, &late.authorities),
    ] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let error = open();
    let expected = format!("certificates in {shown}: tls.crt: the certificate ended");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn when_certificates_end_is_a_metric() {
    let authority = Authority::new("ours");
    let mut params = params(&[Role::Scaler.san()]);
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let metrics = Metrics::new();
    let identity = authority.signed(&params);
    let now = SystemTime::now();
    Tls::new(&identity, Allowed::default(), metrics.tls, now).unwrap();
    let text = text(&metrics.registry);
    for (certificate, end) in [("own", 4_102_444_800_u64), ("authority", 67_090_118_400)] {
        let name = "tls_certificate_expiry_timestamp_seconds";
        let line = format!("{name}{{certificate=\"{certificate}\"}} {end}\n");
        assert!(text.contains(&line), "{text}");
    }
}
