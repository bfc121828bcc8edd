//! A control plane that starts on an API server with very many objects, and what it takes of the machine when
//! endpoints change all the time. The API server, etcd and the CRDs are real. Neither KEDA nor controllers run:
//! they would be measured with it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::time::{self, MissedTickBehavior};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Program, WAKEGATE_ACCOUNT, WAKEGATE_NAMESPACE};
use wakegate_e2e::stats::Times;
use wakegate_e2e::{Addresses, Daemon, eventually};

use super::watchers::Watchers;
use super::{Sizes, usage};
use crate::args::Args;
use crate::line::Line;

const PART: &str = "Control plane: the API server";

/// Where the objects are.
const NAMESPACE: &str = "many";

/// Requests to the API server at once.
const N_AT_ONCE: usize = 32;

/// Changes of endpoints in a second.
const RATE: u32 = 100;

/// All ScaledObjects are written.
const LIMIT: Duration = Duration::from_mins(10);

pub(crate) async fn measure(args: &Args) -> Result<Vec<Line>> {
    let sizes = Sizes::of(args.quick);
    let options = ClusterOptions {
        keda: false,
        gateway_api: true,
        http_add_on: false,
        node: false,
        wakegate: true,
    };
    let cluster = Cluster::start(options).await?;
    cluster.install_keda_crds().await?;
    // It would look at each of our Services and slices.
    cluster.kill(Program::ControllerManager)?;
    let objects = Objects::of(&cluster).await?;
    objects.create(sizes.routes).await?;
    let (mut lines, mut control_plane) = first_sync(&cluster, sizes).await?;
    lines.extend(changes(&objects, &control_plane, (sizes, 0), args).await?);
    lines.extend(changes(&objects, &control_plane, (sizes, sizes.watchers), args).await?);
    control_plane.terminate().await?;
    cluster.finish()?;
    Ok(lines)
}

async fn first_sync(cluster: &Cluster, sizes: Sizes) -> Result<(Vec<Line>, Daemon)> {
    let kubeconfig = cluster
        .kubeconfig_for(WAKEGATE_NAMESPACE, WAKEGATE_ACCOUNT)
        .await?;
    let args = vec![
        "--scaler-address=127.0.0.1:1".to_owned(),
        format!("--lease-namespace={WAKEGATE_NAMESPACE}"),
        "--identity=bench".to_owned(),
    ];
    let environment = vec![("KUBECONFIG", kubeconfig.into_os_string())];
    let daemon = Daemon::stopped("wakegate-control-plane", cluster.folder(), Addresses::ANY);
    let mut daemon = daemon.with(args, environment);
    let began = Instant::now();
    daemon.start_again().await?;
    daemon.ready().await?;
    let took = began.elapsed();
    let cpu = usage::cpu_time(&daemon)?;
    let n_routes = daemon
        .samples()
        .await?
        .sum("wakegate_control_plane_entities");
    ensure!(n_routes > 0.0, "no route was read");
    let what = format!(
        "start → ready, {} HTTPRoutes, and as many Services, EndpointSlices and Deployments",
        sizes.routes
    );
    let time = Line::new(PART, what.clone())
        .figure("took", took.as_secs_f64(), "s")
        .figure("CPU", cpu.as_secs_f64(), "s")
        .at_most("took", 5.0);
    let memory = Line::new(PART, format!("{what}: memory"))
        .figure("resident", usage::resident_mb(&daemon)?, "MB")
        .figure("peak", usage::peak_mb(&daemon)?, "MB")
        .at_most("peak", 300.0);
    Ok((vec![time, memory], daemon))
}

/// Endpoints come and go, with so many workers, once nothing else is to be done.
async fn changes(
    objects: &Objects,
    control_plane: &Daemon,
    (sizes, n_workers): (Sizes, usize),
    args: &Args,
) -> Result<Vec<Line>> {
    let address = control_plane.addresses().grpc;
    let mut watchers = Watchers::start(address, n_workers, "");
    if n_workers > 0 {
        watchers.all(|applied| applied.is_full).await?;
        objects.are_scaled(sizes.routes).await?;
    }
    let n_changes = if args.quick { 500 } else { 3_000 };
    // None of those that were made with no worker are made again.
    let first = if n_workers > 0 { n_changes } else { 0 };
    let watching = async {
        while watchers.next().await.is_ok() {}
        std::future::pending::<Result<Vec<f64>>>().await
    };
    let (began, before) = (Instant::now(), usage::cpu_time(control_plane)?);
    let acknowledged = tokio::select! {
        written = objects.change((first, n_changes), sizes.routes) => written?,
        never = watching => never?,
    };
    let cpu = usage::cpu_time(control_plane)?.saturating_sub(before);
    let took = began.elapsed().as_secs_f64();
    let rate = f64::from(n_changes) / took;
    let what = format!(
        "{} routes, {n_workers} workers: endpoints change, {RATE} a second asked for",
        sizes.routes
    );
    let line = Line::new(PART, what)
        .figure("changes", rate, "/s")
        .figure("CPU", cpu.as_secs_f64() / took, "cores")
        .figure(
            "CPU per change",
            cpu.as_secs_f64() * 1e3 / f64::from(n_changes),
            "ms",
        )
        .figure("resident", usage::resident_mb(control_plane)?, "MB")
        .figure("peak", usage::peak_mb(control_plane)?, "MB")
        .figure("API server p50", Times::of(acknowledged).p50_ms, "ms");
    Ok(vec![line])
}

/// The kinds of which there are very many.
struct Objects {
    routes: Api<DynamicObject>,
    services: Api<DynamicObject>,
    deployments: Api<DynamicObject>,
    slices: Api<DynamicObject>,
    scaled: Api<DynamicObject>,
}

impl Objects {
    /// In a namespace of their own, with the Gateway that the routes are attached to.
    async fn of(cluster: &Cluster) -> Result<Self> {
        let client = cluster.client().await?;
        let namespaces: Api<v1::Namespace> = Api::all(client.clone());
        let mut namespace = v1::Namespace::default();
        namespace.metadata.name = Some(NAMESPACE.to_owned());
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .context("create the namespace")?;
        let api = |group: &str, version: &str, kind: &str, plural: &str| {
            let kind = GroupVersionKind::gvk(group, version, kind);
            let resource = ApiResource::from_gvk_with_plural(&kind, plural);
            Api::namespaced_with(client.clone(), NAMESPACE, &resource)
        };
        let gateway_api = "gateway.networking.k8s.io";
        let gateways = api(gateway_api, "v1", "Gateway", "gateways");
        let listener = json!({ "name": "http", "port": 80, "protocol": "HTTP" });
        let gateway = object(
            (gateway_api, "v1", "Gateway"),
            "edge",
            json!({ "spec": { "gatewayClassName": "envoy", "listeners": [listener] } }),
        )?;
        gateways.create(&PostParams::default(), &gateway).await?;
        Ok(Self {
            routes: api(gateway_api, "v1", "HTTPRoute", "httproutes"),
            services: api("", "v1", "Service", "services"),
            deployments: api("apps", "v1", "Deployment", "deployments"),
            slices: api("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            scaled: api("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
        })
    }

    /// Creates so many of each.
    async fn create(&self, n_routes: usize) -> Result<()> {
        stream::iter(0..n_routes)
            .map(|index| self.create_one(index))
            .buffer_unordered(N_AT_ONCE)
            .try_collect::<()>()
            .await
    }

    async fn create_one(&self, index: usize) -> Result<()> {
        let (name, params) = (name(index), PostParams::default());
        let port = json!({ "name": "http", "port": 80 });
        let labels = json!({ "app": name });
        let service = json!({ "spec": { "ports": [port], "selector": labels } });
        let service = object(("", "v1", "Service"), &name, service)?;
        self.services.create(&params, &service).await?;
        let container = json!({ "name": "app", "image": "app" });
        let template =
            json!({ "metadata": { "labels": labels }, "spec": { "containers": [container] } });
        let deployment = json!({ "spec": {
            "replicas": 0, "selector": { "matchLabels": labels }, "template": template } });
        let deployment = object(("apps", "v1", "Deployment"), &name, deployment)?;
        self.deployments.create(&params, &deployment).await?;
        let slice = object(SLICE, &name, slice(&name, index, false))?;
        self.slices.create(&params, &slice).await?;
        let mut route = object(
            ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
            &name,
            json!({ "spec": {
                "parentRefs": [ { "name": "edge" } ],
                "hostnames": [format!("{name}.test")],
                "rules": [ { "backendRefs": [ { "name": name, "port": 80 } ] } ],
            } }),
        )?;
        let annotation = ("wakegate.dev/scale-to-zero".to_owned(), "true".to_owned());
        route.metadata.annotations = Some([annotation].into());
        self.routes.create(&params, &route).await?;
        Ok(())
    }

    /// Makes so many endpoints ready or unready, one after the other at a steady pace; how long the API server
    /// took for each, in milliseconds.
    async fn change(&self, (first, n_changes): (u32, u32), n_routes: usize) -> Result<Vec<f64>> {
        let mut ticks = time::interval(Duration::from_secs(1) / RATE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let first = usize::try_from(first)?;
        let paced = stream::unfold((ticks, first), async |(mut ticks, at)| {
            ticks.tick().await;
            Some((at, (ticks, at + 1)))
        });
        let n_changes = usize::try_from(n_changes)?;
        let changed = paced.take(n_changes).map(async |at| {
            // Neighbours on no page of anything; each of them ready at first, and unready when it comes again.
            let index = (at * 7) % n_routes;
            let is_ready = (at * 7 / n_routes).is_multiple_of(2);
            let name = name(index);
            let patch = Patch::Merge(slice(&name, index, is_ready));
            let sent = Instant::now();
            self.slices
                .patch(&name, &PatchParams::default(), &patch)
                .await
                .context("write an EndpointSlice")?;
            anyhow::Ok(sent.elapsed().as_secs_f64() * 1e3)
        });
        changed.buffer_unordered(N_AT_ONCE).try_collect().await
    }

    /// Waits until all ScaledObjects are written.
    async fn are_scaled(&self, n_wanted: usize) -> Result<()> {
        eventually(LIMIT, "all ScaledObjects are written", async || {
            let page = ListParams::default().limit(1);
            let page = self.scaled.list_metadata(&page).await.ok()?;
            let n_more = page.metadata.remaining_item_count.unwrap_or_default();
            let n = page.items.len() + usize::try_from(n_more).unwrap_or_default();
            (n >= n_wanted).then_some(())
        })
        .await
    }
}

const SLICE: (&str, &str, &str) = ("discovery.k8s.io", "v1", "EndpointSlice");

fn name(index: usize) -> String {
    format!("app-{index:05}")
}

fn slice(service: &str, index: usize, is_ready: bool) -> Value {
    let low = u8::try_from(index % 250).unwrap_or_default();
    let high = u8::try_from(index / 250 % 250).unwrap_or_default();
    let address = SocketAddr::from(([198, 18, high, low + 1], 8_080));
    json!({
        "metadata": { "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4",
        "ports": [ { "name": "http", "port": address.port(), "protocol": "TCP" } ],
        "endpoints": [ {
            "addresses": [address.ip().to_string()],
            "conditions": { "ready": is_ready },
        } ],
    })
}

fn object(
    (group, version, kind): (&str, &str, &str),
    name: &str,
    mut content: Value,
) -> Result<DynamicObject> {
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let fields = content.as_object_mut().context("an object has fields")?;
    fields.insert("apiVersion".to_owned(), Value::from(api_version));
    fields.insert("kind".to_owned(), Value::from(kind));
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    let metadata = metadata.as_object_mut().context("metadata has fields")?;
    metadata.insert("name".to_owned(), Value::from(name));
    serde_json::from_value(content).context("make an object")
}
