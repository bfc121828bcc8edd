//! `wakegate doctor` says nothing of a cluster that is well, and finds what is not: on a real API server, with the chart
//! installed and the kinds of Envoy Gateway as they are. Nobody controls these here, so what Envoy Gateway would write into
//! their status is not there; with the real one: `envoy_gateway.rs`.

use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use wakegate_e2e::kube::objects::{Object, deployment, list, scaled_object, service};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Crds, Namespace};
use wakegate_e2e::{eventually_is, programs};

use crate::installed::{INSTALLED, Installed};

const SOON: Duration = Duration::from_secs(20);
const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io/v1alpha1";
const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

/// What doctor exits with, and prints as JSON.
pub(crate) struct Said {
    status: i32,
    report: Value,
}

/// Nobody answers there.
const NOBODY: [(&str, &str); 2] = [("scalerAddress", "127.0.0.1:1"), ("service", "blog")];

pub(crate) async fn doctor(cluster: &Cluster) -> Result<Said> {
    let mut command = Command::new(programs::ours("wakegate")?);
    command.args(["doctor", "--output=json"]);
    command.env("KUBECONFIG", cluster.kubeconfig());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await?;
    let said = String::from_utf8_lossy(&stderr).into_owned();
    Ok(Said {
        status: status.code().context("it ends by itself")?,
        report: serde_json::from_slice(&stdout).context(said)?,
    })
}

impl Said {
    /// Its findings as `rule Kind/name`, or `rule` alone for the cluster.
    pub(crate) fn findings(&self) -> Vec<String> {
        let rules = |it: &Value| {
            let findings = it.as_array().into_iter().flatten();
            let rules = findings.filter_map(|it| it.get("rule")?.as_str());
            rules.map(str::to_owned).collect::<Vec<_>>()
        };
        let mut all = self.report.get("cluster").map(rules).unwrap_or_default();
        let objects = self.report.get("objects").and_then(Value::as_array);
        for object in objects.into_iter().flatten() {
            let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("-");
            let id = format!("{}/{}", text("kind"), text("name"));
            let of_object = object
                .get("findings")
                .map(rules)
                .unwrap_or_default()
                .into_iter();
            all.extend(of_object.map(|rule| format!("{rule} {id}")));
        }
        all
    }

    #[track_caller]
    pub(crate) fn is(&self, status: i32, findings: &[&str]) -> Result<()> {
        let found = self.findings();
        ensure!(
            self.status == status && found == findings,
            "not {status} {findings:?}, but {} {found:?}: {:#}",
            self.status,
            self.report,
        );
        ensure!(
            self.report.pointer("/summary/status") == Some(&json!(status)),
            "another in its JSON"
        );
        Ok(())
    }
}

fn for_gateway() -> Value {
    json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge" })
}

fn cluster_patch(name: &str) -> Value {
    json!({
        "type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "operation": { "op": "add", "path": "", "value": { "name": name } },
    })
}

/// A Gateway of Envoy Gateway with the filter, and a route that is held.
fn healthy() -> Vec<Object> {
    let module = concat!("registry.test/wakegate-filter:", env!("CARGO_PKG_VERSION"));
    let filter = json!({
        "name": "wakegate",
        "rootID": "wakegate",
        "failOpen": true,
        "code": {
            "type": "Image",
            "image": { "url": module, "sha256": "0".repeat(64) },
        },
        "config": {
            "control_plane": { "cluster": "wakegate-control-plane" },
            "scaler": { "cluster": "wakegate-scaler" },
        },
    });
    let patches = json!({
        "targetRef": for_gateway(),
        "type": "JSONPatch",
        "jsonPatches": [cluster_patch("wakegate-control-plane"), cluster_patch("wakegate-scaler")],
    });
    let class = json!({ "controllerName": "gateway.envoyproxy.io/gatewayclass-controller" });
    let gateway = json!({
        "gatewayClassName": "eg",
        "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }],
    });
    vec![
        Object::new(GATEWAY_API, "GatewayClass", "eg", class),
        Object::new(GATEWAY_API, "Gateway", "edge", gateway),
        Object::new(
            ENVOY_GATEWAY,
            "EnvoyExtensionPolicy",
            "wakegate",
            json!({ "targetRefs": [for_gateway()], "wasm": [filter] }),
        ),
        Object::new(ENVOY_GATEWAY, "EnvoyPatchPolicy", "wakegate", patches),
        traffic("Service", true),
        deployment("shop", &[]),
        service("shop"),
        route(&[("scale-to-zero", "true")]),
    ]
}

fn route(annotations: &[(&str, &str)]) -> Object {
    let spec = json!({
        "parentRefs": [{ "name": "edge" }],
        "hostnames": ["shop.test"],
        "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }],
    });
    Object::new(GATEWAY_API, "HTTPRoute", "shop", spec).annotated(annotations)
}

fn traffic(routing: &str, retries: bool) -> Object {
    let retry = json!({ "numRetries": 5, "retryOn": { "triggers": ["connect-failure"] } });
    let spec = json!({
        "targetRefs": [for_gateway()],
        "routingType": routing,
        "retry": if retries { retry } else { Value::Null },
    });
    Object::new(ENVOY_GATEWAY, "BackendTrafficPolicy", "wakegate", spec)
}

/// With an object of the healthy ones as it is now; and afterwards as it was.
async fn with(
    (cluster, namespace): (&Cluster, &Namespace),
    object: Object,
    status: i32,
    findings: &[&str],
) -> Result<()> {
    let before = healthy();
    let (kind, name) = (object.kind().to_owned(), object.name().to_owned());
    let is_new = !before
        .iter()
        .any(|it| it.kind() == kind && it.name() == name);
    namespace.apply(&list(&[object])).await?;
    doctor(cluster).await?.is(status, findings)?;
    if is_new {
        namespace.kubectl(&["delete", &kind, &name], None).await?;
    }
    namespace.apply(&list(&before)).await?;
    Ok(())
}

#[tokio::test]
async fn of_a_healthy_installation_nothing_is_said_and_each_fault_is_found() -> Result<()> {
    let installed = Installed::without_wakegate(INSTALLED, true).await?;
    installed.install(&[]).await?;
    let cluster = &installed.cluster;
    cluster.apply_crds(Crds::EnvoyGateway).await?;
    let namespace = cluster.namespace("doctor").await?;
    namespace.apply(&list(&healthy())).await?;
    doctor(cluster).await?.is(0, &[])?;
    let test = ["test", "wakegate", "--namespace", INSTALLED, "--timeout=1m"];
    installed.helm.run(&test).await?;

    let here = (cluster, &namespace);
    let held = route(&[("scale-to-zero", "true"), ("hold-timeout", "90s")]);
    with(here, held, 0, &["long-hold HTTPRoute/shop"]).await?;
    let said = ["no-retry HTTPRoute/shop"];
    with(here, traffic("Service", false), 1, &said).await?;
    let said = ["routing-type HTTPRoute/shop"];
    with(here, traffic("Endpoint", true), 2, &said).await?;
    let target =
        json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "shop" });
    let lua =
        json!({ "targetRefs": [target], "lua": [{ "type": "Inline", "inline": "-- nothing" }] });
    let policy = Object::new(ENVOY_GATEWAY, "EnvoyExtensionPolicy", "users", lua);
    let said = ["policy-replaces-filter EnvoyExtensionPolicy/users"];
    with(here, policy, 2, &said).await?;
    let times = json!({
        "targetRefs": [for_gateway()],
        "timeout": { "http": { "requestReceivedTimeout": "10s" } },
    });
    let times = Object::new(ENVOY_GATEWAY, "ClientTrafficPolicy", "times", times);
    let said = ["timeout-shorter-than-hold ClientTrafficPolicy/times"];
    with(here, times, 2, &said).await?;

    namespace
        .apply(&list(&[scaled_object("blog", "shop", &NOBODY)]))
        .await?;
    let look = async || Ok(doctor(cluster).await?.findings());
    let said = vec!["scaled-object-not-ready ScaledObject/blog".to_owned()];
    eventually_is(SOON, "what KEDA says", said, look).await?;
    namespace
        .kubectl(&["delete", "scaledobject", "blog"], None)
        .await?;
    doctor(cluster).await?.is(0, &[])?;

    let args = [
        "scale",
        "deployment/wakegate-scaler",
        "--replicas=0",
        "-n",
        INSTALLED,
    ];
    cluster.kubectl(&args, None).await?;
    let said = vec!["part-not-ready Deployment/wakegate-scaler".to_owned()];
    eventually_is(SOON, "the scaler is gone", said, look).await?;
    let passed = installed.helm.run(&test).await.is_ok();
    ensure!(!passed, "helm test passes without a scaler");
    namespace.finish().await?;
    installed.cluster.finish()
}

#[tokio::test]
async fn of_a_cluster_without_anything_what_is_missing_is_said() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::BARE).await?;
    let said = doctor(&cluster).await?;
    let missing = [
        "keda-missing",
        "crd-missing",
        "part-missing",
        "part-missing",
    ];
    said.is(2, &missing)?;
    cluster.finish()
}
