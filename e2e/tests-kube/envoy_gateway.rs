//! The real Envoy Gateway, attached by the files of envoy-config/envoy-gateway as they are.

mod changes;
mod clusters;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::kube::objects::{Object, list};
use wakegate_e2e::kube::{ENVOY_GATEWAY_NAMESPACE, Namespace, install_envoy_gateway};
use wakegate_e2e::{Registry, Samples, eventually, eventually_is, samples};

use crate::cycle::was_held;
use crate::doctor::doctor;
use crate::installed::{Installed, SOON, ask, is_asleep, shop};
use crate::module_image::push;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy-config/envoy-gateway");
/// What the Envoys and the Service of the Gateway carry.
const OF_GATEWAY: &str = "gateway.envoyproxy.io/owning-gateway-name=edge";
/// For an Envoy to start and to fetch the module, and for what has to be looked at when the workload is asleep.
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
        for name in ["gateway-class.yaml", "gateway.yaml"] {
            installed.cluster.apply(&file(name)?).await?;
        }
        installed.cluster.apply(&filter(&installed).await?).await?;
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
        self.has_filter().await
    }

    async fn has_filter(&self) -> Result<()> {
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

/// A file of the attachment.
fn file(name: &str) -> Result<String> {
    std::fs::read_to_string(Path::new(FILES).join(name)).with_context(|| name.to_owned())
}

/// The file with the filter, with the digest of the module that the control plane serves.
async fn filter(installed: &Installed) -> Result<String> {
    let module = installed.address("wakegate-control-plane", 18002).await?;
    let sha256 = get("http://localhost/wakegate_filter.wasm.sha256")?;
    let sha256 = fetch(Version::H1, module, sha256).await?.text();
    let sha256 = sha256.split_whitespace().next().unwrap_or_default();
    Ok(file("filter.yaml")?.replace("\"SHA256\"", &format!("\"{sha256}\"")))
}

/// The addresses of the Gateway, once its Envoy is there, and no other any more.
async fn reached(installed: &Installed) -> Result<(SocketAddr, SocketAddr)> {
    let client = installed.cluster.client().await?;
    let ours = ListParams::default().labels(OF_GATEWAY);
    let services: Api<Service> = Api::namespaced(client.clone(), ENVOY_GATEWAY_NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(client, ENVOY_GATEWAY_NAMESPACE);
    let look = async || {
        let service = services.list(&ours).await.ok()?.items.pop()?;
        let address: Ipv4Addr = service.spec?.cluster_ip?.parse().ok()?;
        let [pod] = pods.list(&ours).await.ok()?.items.try_into().ok()?;
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

/// Patches an object of the attachment, which is in this namespace.
async fn patch(attached: &Attached, (namespace, object): (&str, &str), patch: Value) -> Result<()> {
    let patch = patch.to_string();
    let args = [
        "--namespace",
        namespace,
        "patch",
        object,
        "--type=merge",
        "--patch",
        &patch,
    ];
    attached
        .installed
        .cluster
        .kubectl(&args, None)
        .await
        .map(drop)
}

/// A Service of something that is outside of the cluster.
fn in_cluster(address: SocketAddr) -> String {
    let port = json!({"name": "http", "port": address.port()});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "registry"},
        "spec": {"ports": [port]}});
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "registry", "labels": {"kubernetes.io/service-name": "registry"}},
        "addressType": "IPv4", "ports": [port], "endpoints": [{"addresses": [address.ip()]}]});
    json!({"apiVersion": "v1", "kind": "List", "items": [service, slice]}).to_string()
}

/// The module comes from a registry, as an image, and not from the control plane any more.
async fn by_image(attached: &Attached, namespace: &Namespace) -> Result<Registry> {
    // Outside of the cluster, where pods find it, and behind a Service: private addresses are asked without TLS.
    let registry = Registry::start(Ipv4Addr::new(198, 18, 0, 1).into()).await?;
    let address = registry.address();
    namespace.apply(&in_cluster(address)).await?;
    let services = namespace.api::<Service>();
    let look = async || {
        services
            .get("registry")
            .await
            .ok()?
            .spec?
            .cluster_ip?
            .parse()
            .ok()
    };
    let private: Ipv4Addr = eventually(SOON, "the registry has an address", look).await?;
    let pushed = async || push((private, address.port()).into()).ok();
    let (image, digest) = eventually(SOON, "the image is pushed", pushed).await?;
    let sha256 = digest.trim_start_matches("sha256:");
    let before = registry.n_fetched();
    let code = json!({"type": "Image", "http": null, "image": {"url": image, "sha256": sha256}});
    let file = file("filter.yaml")?;
    let first = file.split("\n---\n").next().unwrap_or_default();
    let mut policy: Value = serde_saphyr::from_str(first)?;
    *policy
        .pointer_mut("/spec/wasm/0/code")
        .context("the policy has a module")? = code;
    *policy
        .pointer_mut("/spec/wasm/0/name")
        .context("it has a name")? = json!("wakegate-by-image");
    patch(
        attached,
        ("default", "envoyextensionpolicy/wakegate"),
        policy,
    )
    .await?;
    let fetched = async || (registry.n_fetched() > before).then_some(());
    eventually(STARTED, "Envoy Gateway fetches the image", fetched).await?;
    is_asleep(namespace).await?;
    was_held(&ask(attached.address).await?)?;
    Ok(registry)
}

/// What the documents warn of: without `routingType: Service` the route of a workload at zero is a fixed answer.
async fn without_routing_by_service(attached: &Attached, namespace: &Namespace) -> Result<()> {
    let endpoint = json!({"spec": {"routingType": "Endpoint"}});
    patch(
        attached,
        (ENVOY_GATEWAY_NAMESPACE, "envoyproxy/wakegate"),
        endpoint,
    )
    .await?;
    is_asleep(namespace).await?;
    let look = async || {
        let answer = ask(attached.address).await?;
        is_asleep(namespace).await?;
        Ok(answer.status)
    };
    eventually_is(STARTED, "the answer at zero", 503, look).await?;
    let said = doctor(&attached.installed.cluster).await?;
    said.is(2, &["routing-type HTTPRoute/shop"])?;
    let reasons = [
        "get",
        "events",
        "--field-selector=involvedObject.kind=HTTPRoute",
        "--output=jsonpath={.items[*].reason}",
    ];
    let told = async || {
        let reasons = namespace.kubectl(&reasons, None).await.ok()?;
        reasons.contains("RoutesToEndpoints").then_some(())
    };
    eventually(SOON, "an Event on the route", told).await
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

    doctor(&attached.installed.cluster).await?.is(0, &[])?;
    changes::reconciled_while_held(&attached, &namespace).await?;
    changes::a_policy_of_a_route_replaces_ours(&attached, &namespace).await?;
    let registry = by_image(&attached, &namespace).await?;
    without_routing_by_service(&attached, &namespace).await?;
    drop(registry);
    namespace.finish().await?;
    attached.installed.cluster.finish()
}
