//! A gateway of Istio's: an Envoy, both daemons, and what istiod says.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;
use wakegate_e2e::client::{H2, read};
use wakegate_e2e::{App, Process, XdsServer, free_address, programs, samples};

use super::served::{Filter, PLUGIN, Served, TYPE, field, objects};
use crate::daemons::{Daemons, has_table, start_envoy};

pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// What istiod waits for, to send several changes at once.
pub(super) const LATE: Duration = Duration::from_millis(100);
const NODE: &str = "router~198.18.0.9~gateway.istio-ingress~svc";

/// The gateway, with the daemons.
pub(super) struct Gateway {
    folder: PathBuf,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) envoy: Process,
    pub(super) daemons: Daemons,
    xds: XdsServer,
}

impl Gateway {
    /// Starts all; a filter that is discovered is not there yet.
    pub(super) async fn start(folder: &Path, filter: &Filter) -> Result<Self> {
        let daemons = Daemons::start(folder, true).await?;
        let (address, admin) = (free_address()?, free_address()?);
        let xds = XdsServer::start(folder, NODE).await?;
        let bootstrap = folder.join("bootstrap.json");
        fs::write(&bootstrap, xds.bootstrap(admin, "DELTA_GRPC").to_string())?;
        let served = Served { xds: &xds, folder };
        served.write(address, daemons.addresses(), filter)?;
        let envoy = start_envoy(folder, &bootstrap)?;
        Ok(Self {
            folder: folder.to_owned(),
            address,
            admin,
            envoy,
            daemons,
            xds,
        })
    }

    /// Starts all, with the filter of the `WasmPlugin`.
    pub(super) async fn with_plugin(folder: &Path, plugin: &Value) -> Result<Self> {
        let gateway = Self::start(folder, &Filter::Discovered).await?;
        gateway.discovers(plugin)?;
        gateway.has_table().await?;
        Ok(gateway)
    }

    /// What the filter's discovery says from now on.
    pub(super) fn discovers(&self, config: &Value) -> Result<()> {
        let kind = format!("{TYPE}.config.core.v3.TypedExtensionConfig");
        let resource = json!({ "@type": kind, "name": PLUGIN, "typed_config": config });
        self.xds.put("ecds", &[resource])
    }

    pub(super) async fn has_table(&self) -> Result<()> {
        let found = has_table(&self.envoy, self.admin).await;
        found.with_context(|| self.xds.tail())
    }

    pub(super) async fn counts(&self, name: &str) -> Result<f64> {
        Ok(samples(self.admin, "/stats/prometheus").await?.sum(name))
    }

    /// Starts the app. Envoy has its endpoints later than the control plane.
    pub(super) async fn wake(&self) -> Result<App> {
        let app = self.daemons.wake().await?;
        sleep(LATE).await;
        self.put_endpoints(&[app.address()])?;
        Ok(app)
    }

    /// The app's endpoints in Envoy, those of its subsets included.
    pub(super) fn put_endpoints(&self, addresses: &[SocketAddr]) -> Result<()> {
        let served = Served {
            xds: &self.xds,
            folder: &self.folder,
        };
        served.put_endpoints(addresses)
    }

    /// A request that wakes.
    pub(super) async fn a_request_is_held_and_answered(&self) -> Result<App> {
        let client = H2::open(self.address).await?;
        let held = client
            .send_until_held("http://hello.example/", LIMIT)
            .await?;
        let app = self.wake().await?;
        let answer = read(held.await?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
        ensure!(answer.header("x-wakegate-cold-start") == "true");
        let lost = self.counts("wakegate_lost_total").await?;
        ensure!(lost == 0.0, "{lost} requests were lost");
        Ok(app)
    }

    /// Ends the app, and says so everywhere.
    pub(super) async fn falls_asleep(&self, app: App) -> Result<()> {
        fs::remove_file(self.daemons.endpoint())?;
        self.put_endpoints(&[])?;
        app.stop(LIMIT).await
    }

    pub(super) async fn end(self, app: App) -> Result<()> {
        app.stop(LIMIT).await?;
        self.envoy.terminate(LIMIT).await?;
        self.daemons.end().await
    }
}

/// The filter's discovery as istiod makes it of the `WasmPlugin` and istio-agent of its image: a file.
pub(super) fn plugin() -> Result<Value> {
    let [plugin] = objects("wasm-plugin.yaml")?
        .try_into()
        .ok()
        .context("one object")?;
    let url = field(&plugin, "/spec/url")?.as_str();
    ensure!(
        url.is_some_and(|url| url.starts_with("oci://")),
        "from {url:?}"
    );
    let config = json!({
        "name": PLUGIN,
        "root_id": field(&plugin, "/spec/pluginName")?,
        "failure_policy": policy(field(&plugin, "/spec/failStrategy")?),
        "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": field(&plugin, "/spec/pluginConfig")?.to_string() },
        "vm_config": { "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": programs::filter()? } } },
    });
    Ok(json!({ "@type": format!("{TYPE}.extensions.filters.http.wasm.v3.Wasm"), "config": config }))
}

/// Envoy's word for a `failStrategy`.
pub(super) fn policy(strategy: &Value) -> Value {
    match strategy.as_str() {
        Some("FAIL_CLOSE") => json!("FAIL_CLOSED"),
        _ => strategy.clone(),
    }
}

/// The same with another value at a place of its configuration.
pub(super) fn plugin_with(pointer: &str, value: Value) -> Result<Value> {
    let mut plugin = plugin()?;
    let place = plugin.pointer_mut(pointer).context("a place")?;
    *place = value;
    Ok(plugin)
}

/// The patch of the `EnvoyFilter`, with the module of this build.
pub(super) fn envoy_filter() -> Result<Filter> {
    let [filter] = objects("envoy-filter.yaml")?
        .try_into()
        .ok()
        .context("one object")?;
    let mut patch = field(&filter, "/spec/configPatches/0")?.clone();
    let file = patch.pointer_mut("/patch/value/typed_config/config/vm_config/code/local/filename");
    *file.context("a file")? = json!(programs::filter()?);
    Ok(Filter::Inserted(patch))
}
