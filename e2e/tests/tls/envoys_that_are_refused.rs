//! An Envoy with the wrong certificate gets nothing and says nothing, and nobody else notices.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use wakegate_e2e::autoscaler::ScaledObject;
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::tls::{Authority, Identity, Mount, Role};
use wakegate_e2e::{Envoy, EnvoyConfig, EnvoyTls, Service, Stack, eventually, eventually_is};

use super::{SOON, both_refused_and_said_so_once, n_refused, stack_with_traffic};

/// Why each of them is refused.
const REASONS: [&str; 4] = [
    "certificate_unknown_authority",
    "certificate_expired",
    "certificate_missing",
    "role",
];
const BY_SDS: &str = "envoy_cluster_client_ssl_socket_factory_ssl_context_update_by_sds";

/// A table that is there, and streams that are up.
const SERVED: [&str; 3] = [
    "wakegate_table_version",
    "wakegate_control_plane_connected",
    "wakegate_scaler_connected",
];

#[tokio::test]
async fn a_certificate_that_is_no_good_lets_nothing_through() -> Result<()> {
    let (warm, cold) = (Service::new("warm"), Service::new("cold"));
    let (stack, app, steady) = stack_with_traffic(&warm, &cold).await?;
    let authority = stack.certificates()?.authority();
    let stranger = Authority::new()?.issue(Role::Filter)?;
    let good = authority.issue(Role::Filter)?;
    // Each trusts the daemons, so that it is they who refuse.
    let bad = [
        ("stranger", stranger.trusting(authority.pem())),
        ("expired", authority.issue_expired(Role::Filter)?),
        ("nobody", good.without_certificate()),
        ("keda", authority.issue(Role::Keda)?),
    ];
    let all = bad
        .iter()
        .zip(REASONS)
        .map(async |((name, identity), reason)| {
            let refused = is_refused(&stack, &cold, (name, identity, reason)).await;
            refused.with_context(|| (*name).to_owned())
        });
    try_join_all(all).await?;
    steady.is_well().await?;
    let keda = ScaledObject::new(&cold, stack.sample_app()).contract(stack.keda_link()?)?;
    let is_active = async || Ok(keda.is_active().await?);
    eventually_is(SOON, "a request at one of them wakes", false, is_active).await?;
    for reason in REASONS {
        both_refused_and_said_so_once(&stack, reason).await?;
    }
    app.stop(SOON).await?;
    stack.finish().await
}

/// Another Envoy with this identity has no table, no stream and no endpoints.
async fn is_refused(
    stack: &Stack,
    cold: &Service,
    (name, identity, reason): (&str, &Identity, &str),
) -> Result<()> {
    let envoy = another(stack, name, identity).await?;
    for (daemon, prefix) in super::daemons(stack) {
        let more = async || (n_refused(daemon, prefix, reason).await.ok()? >= 3.0).then_some(());
        eventually(SOON, &format!("{prefix} refuses {reason}"), more).await?;
    }
    let samples = envoy.admin().samples().await?;
    for gauge in SERVED {
        ensure!(samples.sum(gauge) < 1.0, "{gauge}: {}", samples.sum(gauge));
    }
    // Nothing to hold it by, and no endpoint either.
    let answer = fetch(Version::H1, envoy.address(), get(&cold.url("/"))?).await?;
    ensure!(answer.status == 503, "{}: {}", answer.status, answer.text());
    ensure!(envoy.counted("held_total").await? == 0, "it was held");
    envoy.is_well()?;
    envoy.kill()
}

async fn another(stack: &Stack, name: &str, identity: &Identity) -> Result<Envoy> {
    let folder = stack.folder().join(name);
    let mount = Mount::new(&folder.join("tls"), identity.files())?;
    let mut tls = EnvoyTls::new(mount.folder())?;
    if identity.certificate.is_empty() {
        tls = tls.without_certificate();
    }
    let config = EnvoyConfig {
        node_id: name.to_owned(),
        n_workers: 1,
        tls: Some(tls),
        ..stack.envoy_config().clone()
    };
    Envoy::start(&config, &folder).await
}

#[tokio::test]
async fn an_envoy_takes_a_scaler_for_no_control_plane() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop).tls().start().await?;
    let folder = stack.folder().join("crossed");
    std::fs::create_dir_all(&folder)?;
    // Both have a good certificate, of another role than the one that is asked for.
    let config = EnvoyConfig {
        node_id: "crossed".to_owned(),
        n_workers: 1,
        control_planes: vec![stack.scaler.addresses().grpc],
        scalers: vec![stack.control_plane.addresses().grpc],
        ..stack.envoy_config().clone()
    };
    let envoy = Envoy::start(&config, &folder).await?;
    for cluster in ["wakegate-control-plane", "wakegate-scaler"] {
        let name = format!("envoy_cluster_ssl_fail_verify_san{{envoy_cluster_name=\"{cluster}\"}}");
        let refused = async || (envoy.admin().samples().await.ok()?.sum(&name) > 0.0).then_some(());
        eventually(SOON, &name, refused).await?;
    }
    let samples = envoy.admin().samples().await?;
    for gauge in SERVED {
        ensure!(samples.sum(gauge) < 1.0, "{gauge}");
    }
    envoy.kill()?;
    stack.finish().await
}

/// The table that a filter has, and the endpoints that Envoy has, outlast the certificate.
#[tokio::test]
async fn a_certificate_that_ends_takes_no_warm_backend_away() -> Result<()> {
    let (warm, cold) = (Service::new("warm"), Service::new("cold"));
    let (mut stack, app, steady) = stack_with_traffic(&warm, &cold).await?;
    let authority = stack.certificates()?.authority();
    let (expired, fresh) = (
        authority.issue_expired(Role::Filter)?,
        authority.issue(Role::Filter)?,
    );
    let admin = stack.envoy()?.admin();
    let updates = async || anyhow::Ok(admin.samples().await?.sum(BY_SDS));
    let before = updates().await?;
    stack.certificates()?.put(Role::Filter, &expired)?;
    let taken = async || (updates().await.ok()? >= before + 2.0).then_some(());
    eventually(SOON, "Envoy has taken it for both clusters", taken).await?;
    stack.control_plane.kill()?;
    stack.scaler.kill()?;
    stack.control_plane.start_again().await?;
    stack.scaler.start_again().await?;
    both_refused_and_said_so_once(&stack, "certificate_expired").await?;
    steady.is_well().await?;
    let connected = async || {
        Ok(admin
            .samples()
            .await?
            .sum("wakegate_control_plane_connected"))
    };
    eventually_is(SOON, "filters that are connected", 0.0, connected).await?;
    steady.is_well().await?;

    stack.certificates()?.put(Role::Filter, &fresh)?;
    eventually_is(SOON, "filters that are connected", 3.0, connected).await?;
    steady.is_well().await?;
    app.stop(SOON).await?;
    stack.finish().await
}
