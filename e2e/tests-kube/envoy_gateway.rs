//! The real Envoy Gateway, attached by the files of envoy-config/envoy-gateway as they are.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use tokio::task::JoinSet;
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::kube::objects::{Object, list};
use wakegate_e2e::kube::{Cluster, ENVOY_GATEWAY_NAMESPACE, Namespace, install_envoy_gateway};
use wakegate_e2e::{Samples, eventually, eventually_is, samples};

use crate::cycle::was_held;
use crate::doctor::doctor;
use crate::installed::{Installed, SOON, ask, is_asleep, shop};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy-config/envoy-gateway");
/// What the Envoys and the Service of the Gateway carry.
const OF_GATEWAY: &str = "gateway.envoyproxy.io/owning-gateway-name=edge";
/// For an Envoy to start and to fetch the module.
const STARTED: Duration = Duration::from_mins(2);
const N_HELD: usize = 20;

/// Envoy Gateway beside Wakegate, with a Gateway that has the filter.
struct Attached {
    installed: Installed,
    /// The Gateway's Service.
    address: SocketAddr,
    /// Where its one Envoy shows its numbers.
    metrics: SocketAddr,
}

impl Attached {
    async fn new() -> Result<Self> {
        let installed = Installed::without_wakegate("wakegate", false).await?;
        install_envoy_gateway(&installed.cluster, &installed.helm).await?;
        let envoys = format!("--set=filters.namespaces={{{ENVOY_GATEWAY_NAMESPACE}}}");
        installed.install(&[&envoys]).await?;
        let module = installed.address("wakegate-control-plane", 18002).await?;
        let sha256 = get("http://localhost/wakegate_filter.wasm.sha256")?;
        let sha256 = fetch(Version::H1, module, sha256).await?.text();
        let sha256 = sha256.split_whitespace().next().unwrap_or_default();
        for name in ["gateway-class.yaml", "gateway.yaml", "filter.yaml"] {
            let text = std::fs::read_to_string(Path::new(FILES).join(name))?;
            let text = text.replace("sha256: SHA256", &format!("sha256: {sha256}"));
            installed.cluster.apply(&text).await?;
        }
        let (address, metrics) = reached(&installed).await?;
        Ok(Self {
            installed,
            address,
            metrics,
        })
    }

    /// Puts the workload behind the Gateway. With its first route the Envoy loads the filter.
    async fn serve(&self, namespace: &Namespace) -> Result<()> {
        apply_shop(namespace).await?;
        let connected = async || {
            let samples = self.samples().await.ok()?;
            (samples.sum("wakegate_scaler_connected") > 0.0).then_some(())
        };
        eventually(STARTED, "the filter reaches the scaler", connected).await
    }

    async fn samples(&self) -> Result<Samples> {
        samples(self.metrics, "/stats/prometheus").await
    }

    async fn held_is(&self, n: usize) -> Result<()> {
        let look = async || Ok(self.samples().await?.sum("wakegate_held"));
        #[expect(clippy::cast_precision_loss, reason = "some dozens")]
        eventually_is(SOON, "held requests", n as f64, look).await
    }
}

/// The addresses of the Gateway, once its Envoy is there.
async fn reached(installed: &Installed) -> Result<(SocketAddr, SocketAddr)> {
    let client = installed.cluster.client().await?;
    let ours = ListParams::default().labels(OF_GATEWAY);
    let services: Api<Service> = Api::namespaced(client.clone(), ENVOY_GATEWAY_NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(client, ENVOY_GATEWAY_NAMESPACE);
    let look = async || {
        let service = services.list(&ours).await.ok()?.items.pop()?;
        let address: Ipv4Addr = service.spec?.cluster_ip?.parse().ok()?;
        let pod = pods.list(&ours).await.ok()?.items.pop()?;
        let pod: Ipv4Addr = pod.status?.pod_ip?.parse().ok()?;
        let samples = samples((pod, 19001).into(), "/stats/prometheus").await;
        samples
            .is_ok()
            .then_some(((address, 80).into(), (pod, 19001).into()))
    };
    eventually(STARTED, "an Envoy of the Gateway", look).await
}

/// The workload behind the Gateway, which is in another namespace.
async fn apply_shop(namespace: &Namespace) -> Result<()> {
    let [deployment, service, route] = shop("edge")?;
    let route = route.set("/parentRefs/0/namespace", json!("default"))?;
    let objects: [Object; 3] = [deployment, service, route];
    namespace.apply(&list(&objects)).await
}

/// Of all that serves nothing is said; a module that is not the one that was named is.
async fn doctor_reads_what_envoy_gateway_says(cluster: &Cluster) -> Result<()> {
    doctor(cluster).await?.is(0, &[])?;
    let other = json!([{
        "op": "replace",
        "path": "/spec/wasm/0/code/http/sha256",
        "value": "0".repeat(64),
    }]);
    let other = format!("--patch={other}");
    let patch = [
        "patch",
        "eep/wakegate",
        "--namespace=default",
        "--type=json",
        &other,
    ];
    cluster.kubectl(&patch, None).await?;
    let refused = vec!["policy-not-accepted EnvoyExtensionPolicy/wakegate".to_owned()];
    let look = async || Ok(doctor(cluster).await?.findings());
    eventually_is(STARTED, "what Envoy Gateway says", refused, look).await
}

#[tokio::test]
async fn requests_at_zero_are_held_and_answered() -> Result<()> {
    let attached = Attached::new().await?;
    let namespace = attached
        .installed
        .cluster
        .namespace("envoy_gateway")
        .await?;
    attached.serve(&namespace).await?;
    is_asleep(&namespace).await.context("it goes to sleep")?;

    was_held(&ask(attached.address).await?)?;
    is_asleep(&namespace)
        .await
        .context("it goes to sleep again")?;

    let mut held = JoinSet::new();
    for _ in 0..N_HELD {
        held.spawn(ask(attached.address));
    }
    while let Some(answer) = held.join_next().await {
        was_held(&answer??)?;
    }
    attached.held_is(0).await?;
    let lost = attached.samples().await?.sum("wakegate_lost_total");
    ensure!(lost == 0.0, "{lost} requests were lost");
    doctor_reads_what_envoy_gateway_says(&attached.installed.cluster).await?;
    namespace.finish().await?;
    attached.installed.cluster.finish()
}
