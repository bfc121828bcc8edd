//! A cluster with KEDA, and Wakegate installed by its chart.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use wakegate_e2e::client::{Answer, Version, fetch, get};
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::objects::{Object, deployment, http_route, service};
use wakegate_e2e::kube::{CHART, Cluster, ClusterOptions, Helm, Namespace};

use crate::cycle::QUICK;

/// Not the namespace that the manifests in deploy/ have.
pub(crate) const INSTALLED: &str = "wakegate-system";
/// For what takes a pod to start or to end.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The cluster, and where Wakegate is.
pub(crate) struct Installed {
    pub(crate) cluster: Cluster,
    pub(crate) helm: Helm,
    namespace: &'static str,
}

impl Installed {
    /// A cluster with KEDA alone.
    pub(crate) async fn without_wakegate(
        namespace: &'static str,
        gateway_api: bool,
    ) -> Result<Self> {
        let cluster = Cluster::start(ClusterOptions {
            wakegate: false,
            gateway_api,
            ..ClusterOptions::default()
        })
        .await?;
        let helm = Helm::of(&cluster)?;
        Ok(Self {
            cluster,
            helm,
            namespace,
        })
    }

    /// Installs the chart, and waits until all pods are ready.
    pub(crate) async fn install(&self, more: &[&str]) -> Result<()> {
        let args = ["--create-namespace", "--wait", "--timeout=2m"];
        let told = self.helm("install", &[&args[..], more].concat()).await?;
        ensure!(
            told.contains("wakegate.dev/scale-to-zero"),
            "its notes: {told}"
        );
        Ok(())
    }

    /// helm with the release and the chart.
    pub(crate) async fn helm(&self, verb: &str, more: &[&str]) -> Result<String> {
        let args = [verb, "wakegate", CHART, "--namespace", self.namespace];
        // Tests wait for workloads to sleep.
        let values = ["--set=keda.pollingIntervalSeconds=1"];
        self.helm.run(&[&args[..], &values, more].concat()).await
    }

    /// A port of one of Wakegate's Services.
    pub(crate) async fn address(&self, name: &str, port: u16) -> Result<SocketAddr> {
        let services: Api<Service> = Api::namespaced(self.cluster.client().await?, self.namespace);
        let spec = services
            .get(name)
            .await?
            .spec
            .context("a Service has a spec")?;
        let address: Ipv4Addr = spec.cluster_ip.context("it has an address")?.parse()?;
        Ok((address, port).into())
    }
}

/// A workload that will sleep, and its route. It is at one at first, as users have it: KEDA puts it to sleep.
pub(crate) fn shop(gateway: &str) -> Result<[Object; 3]> {
    Ok([
        deployment("shop", &[]).set("/replicas", serde_json::json!(1))?,
        service("shop"),
        http_route("shop", gateway, "shop.test", "shop").annotated(&QUICK),
    ])
}

/// A request for it.
pub(crate) async fn ask(address: SocketAddr) -> Result<Answer> {
    fetch(Version::H1, address, get("http://shop.test/")?).await
}

/// Waits until it is meant to have so many replicas.
pub(crate) async fn is_at(namespace: &Namespace, n: i32) -> Result<()> {
    let look = async || {
        let shop = namespace.api::<Deployment>().get("shop").await?;
        Ok(shop.spec.and_then(|spec| spec.replicas))
    };
    eventually_is(SOON, "replicas of shop", Some(n), look).await
}

/// Waits until nothing of it is left: who asks before that is answered 503, with Wakegate as without.
pub(crate) async fn is_asleep(namespace: &Namespace) -> Result<()> {
    is_at(namespace, 0).await?;
    let look = async || {
        let of_shop = ListParams::default().labels("kubernetes.io/service-name=shop");
        let slices = namespace.api::<EndpointSlice>().list(&of_shop).await?;
        let endpoints = slices.items.into_iter().filter_map(|slice| slice.endpoints);
        let pods = namespace.api::<Pod>().list(&ListParams::default()).await?;
        Ok(endpoints.flatten().count() + pods.items.len())
    };
    eventually_is(SOON, "pods and endpoints of shop", 0, look).await
}
