//! The filter and its two clusters of envoy-config/plain, added to a running Envoy by its owner's control plane: over
//! gRPC, from go-control-plane.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::client::{H2, Version, fetch, get, read};
use wakegate_e2e::{Process, XdsServer, eventually, free_address};

use crate::daemons::{Daemons, has_table, start_envoy};
use crate::plain_envoy::envoy_config;

const LIMIT: Duration = Duration::from_secs(30);
const URL: &str = "http://hello.example/";
const FILTERS: &str = "/filter_chains/0/filters/0/typed_config/http_filters";

/// The Envoy and who tells it what.
struct Owned {
    daemons: Daemons,
    xds: XdsServer,
    envoy: Process,
    address: SocketAddr,
    admin: SocketAddr,
    listener: Value,
    clusters: Vec<Value>,
}

impl Owned {
    async fn start(folder: &Path, api_type: &str) -> Result<Self> {
        let daemons = Daemons::start(folder, true).await?;
        let (address, admin) = (free_address()?, free_address()?);
        let [control_plane, scaler] = daemons.addresses();
        let config = envoy_config(folder, true, [address, admin, control_plane, scaler])?;
        let config: Value = serde_saphyr::from_str(&fs::read_to_string(config)?)?;
        let resources = |kind: &str, message: &str| {
            let resources = config.pointer(&format!("/static_resources/{kind}"));
            let mut resources = resources
                .and_then(Value::as_array)
                .context("a list")?
                .clone();
            for fields in resources.iter_mut().filter_map(Value::as_object_mut) {
                let kind = format!("type.googleapis.com/envoy.config.{message}");
                fields.insert("@type".to_owned(), json!(kind));
            }
            anyhow::Ok(resources)
        };
        let [listener] = resources("listeners", "listener.v3.Listener")?
            .try_into()
            .ok()
            .context("one listener")?;
        let clusters = resources("clusters", "cluster.v3.Cluster")?;
        let xds = XdsServer::start(folder, "plain-envoy").await?;
        let bootstrap = folder.join("bootstrap.json");
        fs::write(&bootstrap, xds.bootstrap(admin, api_type).to_string())?;
        let envoy = start_envoy(folder, &bootstrap)?;
        Ok(Self {
            daemons,
            xds,
            envoy,
            address,
            admin,
            listener,
            clusters,
        })
    }

    /// What the owner served before: an app by EDS, no filter but the router.
    async fn serves_without_filter(&self) -> Result<()> {
        let mut listener = self.listener.clone();
        let filters = listener.pointer_mut(FILTERS).and_then(Value::as_array_mut);
        filters
            .context("filters")?
            .retain(|it| it.get("name") != Some(&json!("wakegate")));
        // The app's endpoints are those of the control plane, which is thus there from the start.
        self.xds.put("clusters", &self.clusters)?;
        self.xds.put("listeners", &[listener])?;
        eventually(LIMIT, "answered without the filter", async || {
            let answer = fetch(Version::H1, self.address, get(URL).ok()?)
                .await
                .ok()?;
            (answer.status == 503).then_some(())
        })
        .await
        .context(self.envoy.tail(10))
        .context(self.xds.tail())
    }

    async fn a_request_is_held_and_answered(self) -> Result<()> {
        self.serves_without_filter().await?;
        self.xds
            .put("listeners", std::slice::from_ref(&self.listener))?;
        has_table(&self.envoy, self.admin).await?;
        let client = H2::open(self.address).await?;
        let held = client.send_until_held(URL, LIMIT).await?;
        let app = self.daemons.wake().await?;
        let answer = read(held.await?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
        ensure!(answer.header("x-wakegate-cold-start") == "true");
        app.stop(LIMIT).await?;
        self.envoy.terminate(LIMIT).await?;
        self.daemons.end().await
    }
}

#[tokio::test]
async fn added_to_a_running_envoy_it_holds_and_releases() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let owned = Owned::start(folder.path(), "GRPC").await?;
    owned.a_request_is_held_and_answered().await
}

#[tokio::test]
async fn so_it_does_by_incremental_discovery() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let owned = Owned::start(folder.path(), "DELTA_GRPC").await?;
    owned.a_request_is_held_and_answered().await
}
