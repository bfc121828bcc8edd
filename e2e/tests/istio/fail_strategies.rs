//! What each `failStrategy` of a `WasmPlugin` means when a VM dies, and what istio-agent puts in place of a module that it
//! cannot get (`pkg/wasm/convert.go`).

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;
use wakegate_e2e::client::{Answer, H2, get, read};
use wakegate_e2e::{eventually, programs};

use super::gateway::{Gateway, LIMIT, plugin, plugin_with, policy};
use super::served::{Filter, TYPE};

/// A VM that is younger when it dies is not made anew before it would have been this old (`reload_config`, 1 s by default,
/// with jitter).
const RELOAD_PAUSE: Duration = Duration::from_secs(2);
const URL: &str = "http://hello.example/";

/// The plugin with a module that a request can kill, and with this strategy.
fn that_dies(strategy: &str) -> Result<Value> {
    let mut plugin = plugin_with("/config/failure_policy", policy(&json!(strategy)))?;
    if let Some(file) = plugin.pointer_mut("/config/vm_config/code/local/filename") {
        *file = json!(programs::filter_that_dies()?);
    }
    Ok(plugin)
}

/// The answer to a request that kills the VM of its connection's worker, and the next one's on the same connection.
async fn answers(client: &H2) -> Result<[Answer; 2]> {
    let mut deadly = get(URL)?;
    let header = deadly.headers_mut();
    header.insert("x-wakegate-test-panic", "1".parse()?);
    let deadly = read(client.send(deadly).await?).await?;
    let next = read(client.send(get(URL)?).await?).await?;
    Ok([deadly, next])
}

/// Statuses of a request that kills the VM and of the next one, of an app that is awake.
async fn statuses(strategy: &str) -> Result<[u16; 2]> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::with_plugin(folder.path(), &that_dies(strategy)?).await?;
    let app = gateway.a_request_is_held_and_answered().await?;
    sleep(RELOAD_PAUSE).await;
    let client = H2::open(gateway.address).await?;
    let statuses = answers(&client).await?.map(|answer| answer.status);
    // However it is: another module brings the filter back.
    gateway.discovers(&plugin()?)?;
    gateway.falls_asleep(app).await?;
    let app = gateway.a_request_is_held_and_answered().await?;
    gateway.end(app).await?;
    Ok(statuses)
}

#[tokio::test]
async fn reload_loses_one_request() -> Result<()> {
    assert_eq!(statuses("FAIL_RELOAD").await?, [503, 200]);
    Ok(())
}

#[tokio::test]
async fn open_lets_pass_what_it_can_no_longer_hold() -> Result<()> {
    assert_eq!(statuses("FAIL_OPEN").await?, [503, 200]);
    Ok(())
}

#[tokio::test]
async fn close_refuses_until_there_is_another_plugin() -> Result<()> {
    assert_eq!(statuses("FAIL_CLOSE").await?, [503, 503]);
    Ok(())
}

/// A module that cannot be fetched: everything or nothing passes, and the filter takes its place as soon as it is there.
async fn without_a_module(rules: Value, status: u16) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &Filter::Discovered).await?;
    let mut stand_in = json!({ "@type": format!("{TYPE}.extensions.filters.http.rbac.v3.RBAC") });
    if let (Some(stand_in), Value::Object(rules)) = (stand_in.as_object_mut(), rules) {
        stand_in.extend(rules);
    }
    gateway.discovers(&stand_in)?;
    let client = eventually(LIMIT, "it opens", async || {
        H2::open(gateway.address).await.ok()
    })
    .await?;
    let answer = read(client.send(get(URL)?).await?).await?;
    ensure!(answer.status == status, "answered with {}", answer.status);
    gateway.discovers(&plugin()?)?;
    gateway.has_table().await?;
    let app = gateway.a_request_is_held_and_answered().await?;
    gateway.end(app).await
}

#[tokio::test]
async fn without_a_module_open_is_an_app_without_endpoints() -> Result<()> {
    without_a_module(json!({}), 503).await
}

#[tokio::test]
async fn without_a_module_close_denies_everything() -> Result<()> {
    without_a_module(json!({ "rules": {} }), 403).await
}
