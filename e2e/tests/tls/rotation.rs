//! Certificates and their authority are replaced while requests run and wait: nothing is dropped.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::TLS13;
use wakegate_e2e::autoscaler::{Event, ScaledObject};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::tls::{Authority, Identity, Link, Mount, Role};
use wakegate_e2e::{App, Service, Stack, eventually, eventually_is};

use super::{RELOADED, SOON, Steady, both_refused_and_said_so_once, daemons, stack_with_traffic};

const N_HELD: usize = 20;
/// For Envoy's workers and the scaler to come back to daemons that were started anew.
const BACK: std::time::Duration = std::time::Duration::from_secs(30);
/// What tells that a connection or a stream to a daemon was lost: another one.
const OPENED: [&str; 2] = [
    "envoy_cluster_upstream_cx_total",
    "envoy_cluster_upstream_rq_total",
];
const CLUSTERS: [&str; 2] = ["wakegate-control-plane", "wakegate-scaler"];
const BY_SDS: &str = "envoy_cluster_client_ssl_socket_factory_ssl_context_update_by_sds";

#[tokio::test]
async fn nothing_is_dropped_while_certificates_and_their_authority_change() -> Result<()> {
    let (warm, cold) = (Service::new("warm"), Service::new("cold"));
    let (mut stack, app, steady) = stack_with_traffic(&warm, &cold).await?;
    let object = ScaledObject::new(&cold, stack.sample_app());
    let keda = object.contract(stack.keda_link()?)?;
    let mut told = keda.stream_is_active().await?;
    let connection = H2::open(stack.address()?).await?;
    let requests = (0..N_HELD).map(|_| Ok(connection.send(get(&cold.url("/"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    stack.held_is(N_HELD, SOON).await?;
    let first = told.message().await?.context("KEDA is told")?;
    ensure!(first.result, "a held request wakes");

    let before = opened(&stack).await?;
    let old = stack.certificates()?.folder(Role::Filter)?.to_owned();
    let old = left_behind(&stack, &old)?;
    let next = Authority::new()?;
    let served = rotate(&stack, &next, &steady).await?;
    ensure!(
        opened(&stack).await? == before,
        "{before:?}, {:?}",
        opened(&stack).await?
    );
    stack.held_is(N_HELD, SOON).await?;
    keda.is_active()
        .await
        .context("on the connection that was there")?;

    for ((daemon, _), served) in daemons(&stack).into_iter().zip(&served) {
        let link = stack
            .certificates()?
            .link(daemon.addresses().grpc, Role::Keda)?;
        let shown = link.certificate(&TLS13).await?;
        ensure!(shown == CertificateDer::from_pem_slice(served.certificate.as_bytes())?);
        // Who has slept through it all gets in no more.
        let late = Link::tls(daemon.addresses().grpc, old.folder());
        ensure!(
            late.certificate(&TLS13).await.is_err(),
            "the new one is of no old authority"
        );
    }
    stays_out(&stack, &old, &next).await?;

    let pod = stack.wake(&cold).await?;
    let answers = try_join_all(requests).await?;
    for answer in try_join_all(answers.into_iter().map(read)).await? {
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    steady.is_well().await?;
    comes_back(&mut stack, &cold, &pod).await?;
    drop(told);
    no_key_is_in_a_log(&stack)?;
    app.stop(SOON).await?;
    pod.stop(SOON).await?;
    stack.finish().await
}

/// Old and new authority at first, then new certificates, then the old authority goes. Returns what the daemons have
/// in the end.
async fn rotate(stack: &Stack, next: &Authority, steady: &Steady) -> Result<Vec<Identity>> {
    let certificates = stack.certificates()?;
    let both = format!("{}{}", certificates.authority().pem(), next.pem());
    let mut all = BTreeMap::new();
    for role in Role::ALL {
        all.insert(role, certificates.current(role)?.trusting(&both));
    }
    taken(stack, &all, 1).await?;
    for role in Role::ALL {
        all.insert(role, next.issue(role)?.trusting(&both));
    }
    taken(stack, &all, 2).await?;
    for identity in all.values_mut() {
        *identity = identity.clone().trusting(next.pem());
    }
    taken(stack, &all, 3).await?;
    steady.is_well().await?;
    let of = |role| all.get(&role).cloned().context("each has one");
    Ok(vec![of(Role::ControlPlane)?, of(Role::Scaler)?])
}

/// Puts an identity of each in place; waits until those that run have taken it, the `n`th that they take.
async fn taken(stack: &Stack, all: &BTreeMap<Role, Identity>, n: u32) -> Result<()> {
    let of_envoy = async || {
        let samples = stack.envoy()?.admin().samples().await?;
        let of = |cluster| samples.sum(&format!("{BY_SDS}{{envoy_cluster_name=\"{cluster}\"}}"));
        anyhow::Ok(CLUSTERS.map(of))
    };
    let before = of_envoy().await?;
    for (role, identity) in all {
        stack.certificates()?.put(*role, identity)?;
    }
    for (daemon, prefix) in daemons(stack) {
        let name = format!("{prefix}_tls_reloads_total{{outcome=\"applied\"}}");
        let applied = async || Ok(daemon.samples().await?.sum(&name));
        eventually_is(RELOADED, &name, f64::from(n), applied).await?;
    }
    eventually(SOON, "Envoy has taken them", async || {
        let now = of_envoy().await.ok()?;
        let all = now.iter().zip(&before).all(|(now, before)| now > before);
        all.then_some(())
    })
    .await
}

/// How many connections and streams Envoy has opened to each daemon, and those that daemons count.
async fn opened(stack: &Stack) -> Result<Vec<(String, f64)>> {
    let samples = stack.envoy()?.admin().samples().await?;
    let mut all = Vec::new();
    for name in OPENED {
        for cluster in CLUSTERS {
            let name = format!("{name}{{envoy_cluster_name=\"{cluster}\"}}");
            let count = samples.sum(&name);
            ensure!(count > 0.0, "Envoy has no {name}");
            all.push((name, count));
        }
    }
    for (daemon, name) in [
        (&stack.scaler, "wakegate_scaler_streams"),
        (&stack.scaler, "wakegate_scaler_control_plane_connected"),
    ] {
        all.push((name.to_owned(), daemon.samples().await?.sum(name)));
    }
    Ok(all)
}

/// A copy of a part's files that nobody renews.
fn left_behind(stack: &Stack, folder: &std::path::Path) -> Result<Mount> {
    let names = ["tls.crt", "tls.key", "ca.crt"];
    let read = |name: &'static str| Ok((name, std::fs::read(folder.join(name))?));
    let files = names.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let files = files.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
    Mount::new(&stack.folder().join("left-behind"), files)
}

/// Whoever trusts the new authority and still shows a certificate of the old one is told from others by its reason.
async fn stays_out(stack: &Stack, old: &Mount, next: &Authority) -> Result<()> {
    let certificate = std::fs::read(old.folder().join("tls.crt"))?;
    let key = std::fs::read(old.folder().join("tls.key"))?;
    old.put([
        ("tls.crt", certificate.as_slice()),
        ("tls.key", key.as_slice()),
        ("ca.crt", next.pem().as_bytes()),
    ])?;
    let object = ScaledObject::new(&Service::new("cold"), stack.sample_app());
    let late = Link::tls(stack.scaler.addresses().grpc, old.folder());
    ensure!(object.contract(late)?.is_active().await.is_err());
    let late = Link::tls(stack.control_plane.addresses().grpc, old.folder());
    ensure!(object.contract(late)?.is_active().await.is_err());
    both_refused_and_said_so_once(stack, "certificate_unknown_authority").await
}

/// Both daemons start anew, so that everybody has to connect: Envoy, which was not started anew, shows what it has
/// by now, and so do scaler and KEDA.
async fn comes_back(stack: &mut Stack, cold: &Service, pod: &App) -> Result<()> {
    stack.control_plane.kill()?;
    stack.scaler.kill()?;
    stack.control_plane.start_again().await?;
    stack.scaler.start_again().await?;
    stack.scaler.ready().await?;
    let envoy = stack.envoy()?;
    eventually(BACK, "Envoy's workers are back", async || {
        let samples = envoy.admin().samples().await.ok()?;
        let all = [
            "wakegate_control_plane_connected",
            "wakegate_scaler_connected",
        ];
        all.iter()
            .all(|name| samples.sum(name) >= 3.0)
            .then_some(())
    })
    .await
    .context(stack.control_plane.tail())?;
    // The pod goes, and a request is held and tells KEDA, so that every connection is in use.
    let autoscaler = stack.autoscale(cold)?;
    let journal = autoscaler.journal();
    let is_open = |event: &Event| *event == Event::StreamOpened;
    journal.wait(SOON, 0, "cold", is_open).await?;
    ensure!(pod.address().port() > 0);
    stack.manifests.put_endpoint(cold, None)?;
    let held = eventually(SOON, "a request is held and answered", async || {
        let answer = stack.get(cold, "/").await.ok()?;
        (answer.header("x-wakegate-cold-start") == "true").then_some(answer.status)
    });
    ensure!(held.await? == 200);
    drop(autoscaler);
    Ok(())
}

/// Neither a key nor a part of one is in what the parts have printed.
fn no_key_is_in_a_log(stack: &Stack) -> Result<()> {
    let found = stack.certificates()?.keys_in_logs(stack.folder())?;
    ensure!(found.is_empty(), "a key is in {found:?}");
    Ok(())
}
