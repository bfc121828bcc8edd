//! What envoy-config/istio holds, on a real Envoy that is given, on one aggregated xDS stream, what istiod would make of it
//! for a gateway. The sources are istio/istio: `pilot/pkg/networking/core/extension/wasmplugin.go` for the filter,
//! `listener_builder.go` for the time-outs, `cluster_tls.go` for TLS.

mod fail_strategies;
mod gateway;
mod served;

use std::fs;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use wakegate_e2e::client::{H2, Version, fetch, get, open_websocket, read};
use wakegate_e2e::{eventually, eventually_is};

use self::gateway::{Gateway, LATE, LIMIT, envoy_filter, plugin, plugin_with};
use self::served::Filter;

const URL: &str = "http://hello.example/";
const RELOADS: &str =
    "envoy_extension_config_discovery_http_filter_istio_ingress_wakegate_config_reload";

#[tokio::test]
async fn a_gateway_opens_when_its_plugin_is_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &Filter::Discovered).await?;
    // All else that istiod has to say was said.
    let listeners = async || {
        gateway
            .counts("envoy_listener_manager_lds_update_success")
            .await
    };
    eventually_is(LIMIT, "listeners that were taken", 1.0, listeners).await?;
    let early = TcpStream::connect(gateway.address).await;
    ensure!(early.is_err(), "it is open without its filter");

    gateway.discovers(&plugin()?)?;
    // The first request that gets in is not let pass by a filter without a table: that was part of its start.
    let opened = async || TcpStream::connect(gateway.address).await.ok();
    drop(eventually(LIMIT, "it opens", opened).await?);
    gateway.has_table().await?;

    // What authorization refuses never comes to the filter.
    let denied = get("http://hello.example/denied")?;
    let denied = fetch(Version::H1, gateway.address, denied).await?;
    ensure!(denied.status == 403, "answered with {}", denied.status);
    let held = async || gateway.counts("wakegate_held_total").await;
    eventually_is(LIMIT, "requests that were held", 0.0, held).await?;

    let app = gateway.a_request_is_held_and_answered().await?;
    gateway.end(app).await
}

#[tokio::test]
async fn the_envoy_filter_is_a_part_of_the_listener() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &envoy_filter()?).await?;
    gateway.has_table().await?;
    let app = gateway.a_request_is_held_and_answered().await?;
    gateway.end(app).await
}

#[tokio::test]
async fn what_is_held_outlives_an_update_of_the_plugin() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::with_plugin(folder.path(), &plugin()?).await?;
    let client = H2::open(gateway.address).await?;
    let held = client.send_until_held(URL, LIMIT).await?;

    let before = gateway.counts(RELOADS).await?;
    let pointer = "/config/configuration/value";
    let text = plugin()?
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned);
    let mut settings: Value = serde_json::from_str(&text.context("its configuration")?)?;
    settings
        .as_object_mut()
        .context("an object")?
        .insert("tick_ms".to_owned(), json!(50));
    gateway.discovers(&plugin_with(pointer, json!(settings.to_string()))?)?;
    let reloaded = async || (gateway.counts(RELOADS).await.ok()? > before).then_some(());
    eventually(LIMIT, "the new configuration", reloaded).await?;
    let second = H2::open(gateway.address).await?;
    let also_held = second.send_until_held(URL, LIMIT).await?;
    let app = gateway.wake().await?;
    for answer in [held, also_held] {
        let answer = read(answer.await?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
        ensure!(answer.header("x-wakegate-cold-start") == "true");
    }
    gateway.end(app).await
}

#[tokio::test]
async fn subsets_are_their_service() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::with_plugin(folder.path(), &plugin()?).await?;
    let split = folder.path().join("manifests/split.yaml");
    fs::write(split, virtual_service().to_string())?;
    let client = H2::open(gateway.address).await?;
    let first = client
        .send_until_held("http://split.example/", LIMIT)
        .await?;
    let others = (0..20).map(|_| Ok(client.send(get("http://split.example/")?)));
    let others = others.collect::<Result<Vec<_>>>()?;
    let (first, others, app) = tokio::join!(first, join_all(others), async {
        let held = async || gateway.counts("wakegate_held").await;
        eventually_is(LIMIT, "requests held", 21.0, held).await?;
        gateway.wake().await
    });
    for answer in others.into_iter().chain([first]) {
        let answer = read(answer?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
    }
    // Envoy did go to both.
    for subset in ["v1", "v2"] {
        let sent =
            format!("cluster.outbound|80|{subset}|hello.demo.svc.cluster.local.upstream_rq_total");
        let stats = fetch(
            Version::H1,
            gateway.admin,
            get("http://admin/stats?usedonly")?,
        )
        .await?;
        ensure!(
            stats.text().contains(&sent),
            "none to {subset}: {}",
            stats.text()
        );
    }
    gateway.end(app?).await
}

/// The one that istiod would make these routes of; the control plane reads it too.
fn virtual_service() -> Value {
    let half = |subset: &str| json!({ "destination": { "host": "hello", "subset": subset }, "weight": 50 });
    json!({ "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": { "namespace": "demo", "name": "split", "annotations": { "wakegate.dev/scale-to-zero": "true" } },
        "spec": { "hosts": ["split.example"], "gateways": ["istio-ingress/edge"],
            "http": [ { "route": [half("v1"), half("v2")] } ] } })
}

#[tokio::test]
async fn a_websocket_is_held_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::with_plugin(folder.path(), &plugin()?).await?;
    let (socket, app) = tokio::join!(
        open_websocket(gateway.address, "ws://hello.example/ws"),
        async {
            let held = async || gateway.counts("wakegate_held").await;
            eventually_is(LIMIT, "requests held", 1.0, held).await?;
            gateway.wake().await
        }
    );
    let mut socket = socket?;
    socket.echo("good morning", LIMIT).await?;
    // Endpoints that change in Envoy alone end no stream.
    let app = app?;
    gateway.put_endpoints(&[])?;
    tokio::time::sleep(LATE).await;
    socket.echo("still there", LIMIT).await?;
    socket.close().await?;
    gateway.end(app).await
}
