//! Envoy's configuration changes while requests are held.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time;
use wakegate_e2e::{Admin, EnvoyConfig, FilterConfig, Module, eventually, programs};

use crate::scene::Scene;

const SOON: Duration = Duration::from_secs(20);
const RELOADS: &str = "envoy_extension_config_discovery_http_filter_wakegate_config_reload";
const UPDATES: [&str; 2] = [
    "envoy_listener_manager_listener_modified",
    "envoy_listener_manager_listener_in_place_updated",
];

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The filter's settings: a second root in the same VMs.
    Settings,
    /// The module: new VMs.
    Version,
}

/// The change, and the way back after the span.
pub(super) async fn by_extension(scene: &Scene, change: Change, span: Duration) -> Result<()> {
    let ours = scene.stack.envoy_config();
    let admin = scene.stack.envoy()?.admin();
    for config in [changed(ours, change, scene.stack.folder())?, ours.clone()] {
        let before = admin.samples().await?.sum(RELOADS);
        config.write_filter(&filter(&config)?.settings)?;
        eventually(SOON, "the filter's new configuration", async || {
            let n_reloads = admin.samples().await.ok()?.sum(RELOADS);
            (n_reloads > before).then_some(())
        })
        .await?;
        time::sleep(span / 2).await;
    }
    Ok(())
}

/// The change, and the end of the old listener's connections.
pub(super) async fn by_listener(scene: &Scene, change: Change, span: Duration) -> Result<()> {
    let folder = scene.stack.folder();
    let ours = changed(scene.stack.envoy_config(), change, folder)?;
    let bare = &scene.bare_config;
    let bare = EnvoyConfig {
        // It has no filter that could change.
        stream_idle_timeout: bare.stream_idle_timeout + Duration::from_secs(1),
        ..bare.clone()
    };
    let drain_time = ours.drain_time;
    let bare_folder = folder.join("bare");
    tokio::try_join!(
        put_listener(&ours, folder, scene.stack.envoy()?.admin()),
        put_listener(&bare, &bare_folder, scene.bare.admin())
    )?;
    time::sleep(drain_time + span).await;
    Ok(())
}

async fn put_listener(config: &EnvoyConfig, folder: &Path, admin: Admin) -> Result<()> {
    let n_updates = async || {
        let samples = admin.samples().await?;
        anyhow::Ok(UPDATES.iter().map(|name| samples.sum(name)).sum::<f64>())
    };
    let before = n_updates().await?;
    config.write_listener(&folder.join("access.log"))?;
    eventually(SOON, "the new listener", async || {
        let now = n_updates().await.ok()?;
        (now > before).then_some(())
    })
    .await
}

fn filter(config: &EnvoyConfig) -> Result<&FilterConfig> {
    config.filter.as_ref().context("an Envoy with the filter")
}

fn changed(config: &EnvoyConfig, change: Change, folder: &Path) -> Result<EnvoyConfig> {
    let mut filter = filter(config)?.clone();
    match change {
        Change::Settings => filter.settings = json!({ "tick_ms": 50 }),
        Change::Version => filter.module = Module::File(another_version(folder)?),
    }
    Ok(EnvoyConfig {
        filter: Some(filter),
        ..config.clone()
    })
}

/// The same filter in other bytes: a module may end in a section that nobody reads.
fn another_version(folder: &Path) -> Result<PathBuf> {
    const NAME: &[u8] = b"another version";
    let mut bytes = std::fs::read(programs::filter()?).context("read the filter")?;
    let length = u8::try_from(NAME.len())?;
    bytes.extend([0, length + 1, length]);
    bytes.extend(NAME);
    let path = folder.join("another_version.wasm");
    std::fs::write(&path, bytes).context("write another version of the filter")?;
    Ok(path)
}
