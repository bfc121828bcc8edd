//! The chart as a user installs, upgrades and uninstalls it: both daemons run in pods of the cluster, by the arguments,
//! environment, rights, volumes and probes that it renders.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use wakegate_e2e::kube::objects::{gateway, list};
use wakegate_e2e::kube::{Cluster, Namespace};
use wakegate_e2e::tls::Mount;
use wakegate_e2e::{
    EndpointsFrom, Envoy, EnvoyConfig, EnvoyRoute, EnvoyTls, FilterConfig, Module, VirtualHost,
    eventually, eventually_is, programs,
};

use crate::cycle::was_held;
use crate::installed::{INSTALLED, Installed, SOON, ask, is_at, shop};

const N_HELD: usize = 50;
/// What an uninstalled Wakegate leaves: objects of users hang on the CRD, and helm made the namespace.
const STAYS: [&str; 3] = [
    "customresourcedefinition.apiextensions.k8s.io/wakepolicies.wakegate.dev",
    "apiservice.apiregistration.k8s.io/v1alpha1.wakegate.dev",
    "namespace/wakegate-system",
];
/// A label that no node has.
const NOWHERE: &str = "wakegate.test/nowhere";

/// An Envoy of the user's, with the certificate that is there for it.
async fn envoy(installed: &Installed, namespace: &str, folder: &TempDir) -> Result<Envoy> {
    let secrets: Api<Secret> = Api::namespaced(installed.cluster.client().await?, INSTALLED);
    let secret = secrets.get("wakegate-filter-tls").await?;
    let data = secret.data.unwrap_or_default();
    let files = data
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()));
    let mount = Mount::new(&folder.path().join("tls"), files)?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let route = EnvoyRoute {
        prefix: "/".to_owned(),
        clusters: vec![format!("{namespace}/shop/80")],
    };
    let config = EnvoyConfig {
        node_id: namespace.to_owned(),
        listen: any_port,
        admin: any_port,
        n_workers: 2,
        filter: Some(FilterConfig {
            module: Module::File(programs::filter()?),
            settings: json!({}),
            discovered_from: None,
        }),
        hosts: vec![VirtualHost {
            host: "shop.test".to_owned(),
            routes: vec![route],
        }],
        endpoints: EndpointsFrom::Delta,
        control_planes: vec![installed.address("wakegate-control-plane", 18000).await?],
        scalers: vec![installed.address("wakegate-scaler", 9090).await?],
        tls: Some(EnvoyTls::new(mount.folder())?),
        stream_idle_timeout: Duration::from_mins(4),
        buffer_limit: None,
        connection_manager: json!({}),
        listener_from: None,
        drain_time: Duration::from_secs(1),
        accepts_connect: false,
    };
    let envoy = Envoy::start(&config, folder.path()).await?;
    envoy.every_worker_is_connected(config.n_workers).await?;
    Ok(envoy)
}

/// At zero, as Envoy knows as well: who asks before that is answered 503, with Wakegate as without.
async fn is_asleep(namespace: &Namespace, envoy: &Envoy) -> Result<()> {
    is_at(namespace, 0).await?;
    let cluster = format!("{}/shop/80", namespace.name());
    let look = async || envoy.admin().n_healthy(&cluster).await;
    eventually_is(SOON, "endpoints of shop in Envoy", 0, look).await
}

/// Keeps new pods from every node, or no longer.
async fn nowhere(namespace: &Namespace, is_nowhere: bool) -> Result<()> {
    let selector = if is_nowhere {
        json!({NOWHERE: "x"})
    } else {
        json!(null)
    };
    let patch = json!({"spec": {"template": {"spec": {"nodeSelector": selector}}}}).to_string();
    let args = [
        "patch",
        "deployment/shop",
        "--type=merge",
        "--patch",
        &patch,
    ];
    namespace.kubectl(&args, None).await.map(drop)
}

#[tokio::test]
async fn it_is_installed_upgraded_under_held_requests_and_leaves_nothing() -> Result<()> {
    let installed = Installed::without_wakegate(INSTALLED, true).await?;
    installed.install(&[]).await?;
    let namespace = installed.cluster.namespace("chart").await?;
    let folder = TempDir::with_prefix("chart-")?;
    namespace.apply(&list(&[gateway("edge")])).await?;
    namespace.apply(&list(&shop("edge")?)).await?;
    let envoy = envoy(&installed, namespace.name(), &folder).await?;

    is_asleep(&namespace, &envoy)
        .await
        .context("it goes to sleep")?;
    was_held(&ask(envoy.address()).await?)?;
    is_asleep(&namespace, &envoy)
        .await
        .context("it goes to sleep again")?;

    nowhere(&namespace, true).await?;
    let mut held = JoinSet::new();
    for _ in 0..N_HELD {
        held.spawn(ask(envoy.address()));
    }
    envoy.held_is(N_HELD, SOON).await?;
    replace_pods(&installed).await?;
    ensure!(
        held.len() == N_HELD && held.try_join_next().is_none(),
        "some are not held any more"
    );
    nowhere(&namespace, false).await?;
    while let Some(answer) = held.join_next().await {
        was_held(&answer??)?;
    }
    is_asleep(&namespace, &envoy)
        .await
        .context("it goes to sleep after the upgrade")?;

    installed
        .helm
        .run(&[
            "uninstall",
            "wakegate",
            "--namespace",
            INSTALLED,
            "--wait",
            "--timeout=3m",
        ])
        .await?;
    is_at(&namespace, 1).await.context("it came back")?;
    nothing_is_left(&installed.cluster).await?;
    envoy.kill()?;
    namespace.finish().await?;
    installed.cluster.finish()
}

/// An upgrade that replaces every pod of both daemons.
async fn replace_pods(installed: &Installed) -> Result<()> {
    let before = pods(installed).await?;
    installed
        .helm(
            "upgrade",
            &[
                "--set=controlPlane.podAnnotations.upgraded=yes",
                "--set=scaler.podAnnotations.upgraded=yes",
                "--wait",
                "--timeout=2m",
            ],
        )
        .await?;
    let look = async || {
        let now = pods(installed).await.ok()?;
        let is_old = |pod| before.contains(pod);
        (!now.iter().any(is_old)).then_some(())
    };
    eventually(SOON, "all pods are replaced", look).await
}

/// The pods of both daemons.
async fn pods(installed: &Installed) -> Result<Vec<String>> {
    let args = ["get", "pods", "--namespace", INSTALLED, "--output=name"];
    let pods = installed.cluster.kubectl(&args, None).await?;
    Ok(pods.lines().map(str::to_owned).collect())
}

/// Looks at everything that can be listed in the cluster.
async fn nothing_is_left(cluster: &Cluster) -> Result<()> {
    let kinds = cluster
        .kubectl(&["api-resources", "--verbs=list", "--output=name"], None)
        .await?;
    let kinds: Vec<_> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    let (kinds, none) = (kinds.join(","), Vec::<String>::new());
    let look = async || {
        let args = [
            "get",
            &kinds,
            "--all-namespaces",
            "--output=name",
            "--ignore-not-found",
        ];
        let all = cluster.kubectl(&args, None).await?;
        let ours = all.lines().filter(|name| name.contains("wakegate"));
        let left = ours.filter(|name| !STAYS.contains(name));
        Ok(left.map(str::to_owned).collect())
    };
    eventually_is(SOON, "objects of ours", none, look).await
}
