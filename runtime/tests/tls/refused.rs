//! Who gets through, and who is refused.

use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use wakegate_runtime::{Role, Transport, tls::Identity};

use crate::{
    authority::{Authority, ended, params},
    client::Stranger,
    harness::{Daemon, Metrics, connect, soon, tls, tls_with},
};

fn refused(reason: &str, n: usize) -> String {
    format!("refused_total{{reason=\"{reason}\"}} {n}")
}

#[tokio::test]
async fn each_role_gets_what_is_for_it_and_nothing_else() {
    let authority = Authority::new("ours");
    let server = authority.identity(Role::Scaler);
    for wanted in Role::ALL {
        let metrics = Metrics::new();
        let transport = Transport::Tls(tls_with(&server, metrics.tls));
        let daemon = Daemon::serve(&transport, metrics.registry, wanted).await;
        for role in Role::ALL {
            let outcome = daemon.ask(&authority.identity(role)).await;
            if role == wanted {
                outcome.unwrap();
            } else {
                let error = outcome.unwrap_err();
                assert!(error.starts_with("PermissionDenied: "), "{error}");
                assert!(error.contains(&format!("the role {wanted}")), "{error}");
            }
        }
        daemon.until_counted(&refused("role", 3)).await;
    }
}

#[tokio::test]
async fn in_plain_text_nobody_is_asked() {
    let daemon = Daemon::serve(&Transport::PlainText, Metrics::new().registry, Role::Filter).await;
    let connecting = connect(&Transport::PlainText, daemon.addr, Role::Scaler);
    let mut health = HealthClient::new(connecting.await.unwrap());
    health.check(HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_scheme_that_does_not_go_with_the_transport_is_an_error() {
    let identity = Authority::new("ours").identity(Role::Filter);
    for (transport, uri) in [
        (Transport::PlainText, "https://localhost:1"),
        (Transport::Tls(tls(&identity)), "http://localhost:1"),
    ] {
        let connecting = transport.connect(uri.parse().unwrap(), Role::Scaler);
        let error = connecting.await.unwrap_err().to_string();
        let expected = format!("{uri}/ is not of the scheme {}", transport.scheme());
        assert_eq!(error, expected);
    }
}

/// Speaks as a stranger does; that it came to nothing, and why.
async fn is_refused(daemon: &Daemon, stranger: Stranger<'_>, reason: &str) {
    let outcome = stranger.outcome(daemon.addr).await;
    assert!(matches!(outcome, Err(_) | Ok(0)), "{reason}: {outcome:?}");
    daemon.until_counted(&refused(reason, 1)).await;
}

#[tokio::test]
async fn a_client_without_a_good_certificate_is_refused_and_counted_by_the_reason() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let namesake = Authority::new("ours");
    let server = ours.identity(Role::Scaler);
    let with = |shows| Stranger {
        trusts: &server,
        shows,
        version: &TLS13,
    };
    let good = ours.identity(Role::Filter);
    let late = ours.signed(&ended(params(&[Role::Filter.san()])));
    let strange = other.identity(Role::Filter);
    let namesakes = namesake.identity(Role::Filter);

    let (daemon, _) = Daemon::with(&server).await;
    let answer = with(Some(&good)).outcome(daemon.addr).await;
    assert!(
        matches!(answer, Ok(1..)),
        "the way to ask is right: {answer:?}"
    );
    is_refused(&daemon, with(None), "certificate_missing").await;
    is_refused(&daemon, with(Some(&late)), "certificate_expired").await;
    is_refused(
        &daemon,
        with(Some(&strange)),
        "certificate_unknown_authority",
    )
    .await;
    let (daemon, _) = Daemon::with(&server).await;
    is_refused(
        &daemon,
        with(Some(&namesakes)),
        "certificate_unknown_authority",
    )
    .await;
    let old = Stranger {
        version: &TLS12,
        ..with(Some(&good))
    };
    is_refused(&daemon, old, "handshake").await;
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_refused() {
    let (daemon, _) = Daemon::with(&Authority::new("ours").identity(Role::Scaler)).await;
    let mut stream = TcpStream::connect(daemon.addr).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // A reset is as good an end as any.
    drop(soon("the end", stream.read_to_end(&mut answer)).await);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    daemon.until_counted(&refused("handshake", 1)).await;
}

#[tokio::test]
async fn who_probes_the_port_is_not_refused_and_who_is_slow_keeps_nobody() {
    let authority = Authority::new("ours");
    let (daemon, _) = Daemon::with(&authority.identity(Role::Scaler)).await;
    drop(TcpStream::connect(daemon.addr).await.unwrap());
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(daemon.addr).await.unwrap());
    }
    daemon.ask(&authority.identity(Role::Filter)).await.unwrap();
    assert!(!daemon.metrics().contains("refused_total"));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_too_long_is_given_up() {
    let (daemon, _) = Daemon::with(&Authority::new("ours").identity(Role::Scaler)).await;
    let begin = tokio::time::Instant::now();
    let mut stream = TcpStream::connect(daemon.addr).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert!(begin.elapsed() >= Duration::from_secs(10));
    daemon.until_counted(&refused("handshake", 1)).await;
}

#[tokio::test]
async fn a_server_has_to_be_what_is_asked_for() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let client = ours.identity(Role::Filter);
    let (daemon, _) = Daemon::with(&ours.identity(Role::Scaler)).await;
    // By an address, which is not among its names.
    daemon.ask_for(&client, Role::Scaler).await.unwrap();
    let error = daemon.ask_for(&client, Role::ControlPlane).await;
    let error = error.unwrap_err();
    assert!(error.contains("are not of a control-plane"), "{error}");
    let strange: Identity = other.identity(Role::Scaler);
    let (stranger, _) = Daemon::with(&strange).await;
    let error = stranger.ask_for(&client, Role::Scaler).await.unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
}
