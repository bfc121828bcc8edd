//! What stands in the log, and what never does.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use rustls::version::TLS13;
use tracing::{Level, subscriber::DefaultGuard};
use wakegate_runtime::{Role, Transport, tls::Identity};

use crate::{
    authority::Authority,
    client::Stranger,
    harness::{Daemon, tls},
};

/// All that this thread logs, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture(&self) -> DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refusal_is_counted_each_time_and_logged_once_a_minute() {
    let log = Log::default();
    let _captured = log.capture();
    let server = Authority::new("ours").identity(Role::Scaler);
    let (daemon, _) = Daemon::with(&server).await;
    let nobody = Stranger {
        trusts: &server,
        shows: None,
        version: &TLS13,
    };
    for n in 1..=3 {
        drop(nobody.outcome(daemon.addr).await);
        let line = format!("refused_total{{reason=\"certificate_missing\"}} {n}");
        daemon.until_counted(&line).await;
    }
    let lines = log.text();
    assert_eq!(lines.matches("connection refused").count(), 1, "{lines}");
    assert!(lines.contains("certificate_missing"), "{lines}");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    drop(nobody.outcome(daemon.addr).await);
    daemon
        .until_counted("refused_total{reason=\"certificate_missing\"} 4")
        .await;
    let lines = log.text();
    assert_eq!(lines.matches("connection refused").count(), 2, "{lines}");
    assert!(lines.contains("left_out=2"), "{lines}");
}

#[tokio::test]
async fn no_part_of_a_key_is_ever_in_the_log_or_in_a_message() {
    let log = Log::default();
    let _captured = log.capture();
    let authority = Authority::new("ours");
    let (server, client) = (
        authority.identity(Role::Scaler),
        authority.identity(Role::Filter),
    );
    let (daemon, handle) = Daemon::with(&server).await;
    daemon.ask(&client).await.unwrap();
    daemon
        .ask(&authority.identity(Role::Keda))
        .await
        .unwrap_err();
    let swapped = Identity {
        certificate: server.key.clone(),
        key: server.certificate.clone(),
        authorities: server.key.clone(),
    };
    let mut cut = server.clone();
    cut.key.truncate(120);
    for wrong in [&swapped, &cut] {
        let error = handle.replace(wrong, SystemTime::now()).unwrap_err();
        tracing::info!(
            ?error,
            message = format!("{error:#}"),
            ?wrong,
            ?handle,
            "as said"
        );
    }
    let transport = Transport::Tls(tls(&client));
    tracing::info!(?transport, ?client, "as shown");
    let text = log.text();
    assert!(
        text.contains("as said") && text.contains("as shown"),
        "{text}"
    );
    for identity in [&server, &client] {
        let key = String::from_utf8(identity.key.clone()).unwrap();
        let lines = key.lines().filter(|line| !line.starts_with("-----"));
        for part in lines.filter_map(|line| line.get(..16)) {
            assert!(!text.contains(part), "{part} in {text}");
        }
        let bytes = format!("{:?}", &identity.key[40..60]);
        assert!(!text.contains(bytes.trim_matches(['[', ']'])), "{text}");
    }
}
