//! A request wakes its backend over TLS alone, and nobody is served who speaks something else or less.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::version::{TLS12, TLS13};
use wakegate_e2e::autoscaler::{Event, ScaledObject};
use wakegate_e2e::client::{Raw, Version, fetch, full, get, post};
use wakegate_e2e::tls::{Link, Role};
use wakegate_e2e::{Service, Stack, eventually};

use super::{SOON, both_refused_and_said_so_once, daemons};

/// Envoy's names for the two.
const CLUSTERS: [&str; 2] = ["wakegate-control-plane", "wakegate-scaler"];

#[tokio::test]
async fn a_request_wakes_from_zero_with_certificates_on_every_connection() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).tls().start().await?;
    let autoscaler = stack.autoscale(&shop)?;
    let journal = autoscaler.journal();
    let is_open = |event: &Event| *event == Event::StreamOpened;
    journal.wait(SOON, 0, "shop", is_open).await?;
    let answer = stack.get(&shop, "/").await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    ensure!(
        answer.header("x-wakegate-cold-start") == "true",
        "it was not held"
    );
    // Told by the stream of KEDA's stand-in, with the endpoint by EDS.
    let told = journal.find(0, "shop", |event| *event == Event::Told(true));
    ensure!(told.is_some(), "woken by polling:\n{}", journal.text(0));

    // Envoy's connections: all of them, and of this version.
    let samples = stack.envoy()?.admin().samples().await?;
    for cluster in CLUSTERS {
        let of = |name: &str| samples.sum(&format!("{name}{{envoy_cluster_name=\"{cluster}\"}}"));
        let n_connections = of("envoy_cluster_upstream_cx_total");
        let n_handshakes = of("envoy_cluster_ssl_handshake");
        ensure!(
            n_connections > 0.0 && n_handshakes >= n_connections,
            "{cluster}: {n_handshakes} handshakes, {n_connections} connections"
        );
        let versions = samples.starting_with("envoy_cluster_ssl_versions");
        let mut of_cluster = versions.lines().filter(|line| line.contains(cluster));
        let other = of_cluster.find(|line| !line.contains("TLSv1.3"));
        ensure!(other.is_none(), "{other:?}");
    }
    drop(autoscaler);
    stack.finish().await
}

#[tokio::test]
async fn plain_text_and_older_versions_are_not_served() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).tls().start().await?;
    let certificates = stack.certificates()?;
    for (daemon, name) in daemons(&stack) {
        let address = daemon.addresses().grpc;
        let link = certificates.link(address, Role::Filter)?;
        link.certificate(&TLS13)
            .await
            .context("the version that is served")?;
        let older = link.certificate(&TLS12).await;
        ensure!(older.is_err(), "{name} speaks TLS 1.2");
        // Closed without a word of HTTP.
        let mut client = Raw::open(address).await?;
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        let said = client.read_until(SOON, |_| false).await.unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(!said.contains("HTTP/"), "{name} answered: {said}");
        let request = post(
            &format!("http://{address}/wakegate.v1.Demand/Report"),
            full(""),
        )?;
        let answer = fetch(Version::H2, address, request).await;
        ensure!(answer.is_err(), "{name} answered in plain text");
    }
    let object = ScaledObject::new(&shop, stack.sample_app());
    let plain = object.contract(Link::from(stack.scaler.addresses().grpc))?;
    ensure!(
        plain.is_active().await.is_err(),
        "KEDA was answered in plain text"
    );
    both_refused_and_said_so_once(&stack, "handshake").await?;
    stack.finish().await
}

#[tokio::test]
async fn admin_endpoints_stay_without_tls_and_say_when_certificates_end() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).tls().start().await?;
    for (daemon, prefix) in daemons(&stack) {
        let name = format!("{prefix}_tls_certificate_expiry_timestamp_seconds");
        eventually(SOON, &name, async || {
            let samples = daemon.samples().await.ok()?;
            let own = samples.sum(&format!("{name}{{certificate=\"own\"}}"));
            let authority = samples.sum(&format!("{name}{{certificate=\"authority\"}}"));
            // Those of tests end in a far future.
            (own > 2e9 && authority > 2e9).then_some(())
        })
        .await
        .with_context(|| daemon.tail())?;
        let answer = fetch(
            Version::H1,
            daemon.addresses().admin,
            get("http://localhost/ready")?,
        );
        let answer = tokio::time::timeout(Duration::from_secs(5), answer).await??;
        ensure!(answer.status == 200, "{}", answer.status);
    }
    stack.finish().await
}
