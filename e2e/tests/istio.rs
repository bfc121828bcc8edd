//! What envoy-config/istio holds, on a real Envoy that is given by xDS what istiod would make of it for a gateway. The
//! sources are istio/istio: `pilot/pkg/networking/core/extension/wasmplugin.go` for the filter, `listener_builder.go` for
//! the time-outs, `cluster_tls.go` for TLS.

mod served;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;
use wakegate_e2e::client::{H2, Version, fetch, get, read};
use wakegate_e2e::{
    Addresses, AppCommand, Daemon, Process, Security, eventually, eventually_is, free_address,
    programs, samples,
};

use self::served::{HELLO, PLUGIN, Served, TYPE, field, objects, socket};
use crate::plain_envoy::make_certificates;

const LIMIT: Duration = Duration::from_secs(30);
/// What istiod waits for, to send several changes at once.
const LATE: Duration = Duration::from_millis(100);
/// The gateway, with the daemons.
struct Gateway {
    folder: PathBuf,
    address: SocketAddr,
    admin: SocketAddr,
    envoy: Process,
    control_plane: Daemon,
    scaler: Daemon,
}

impl Gateway {
    /// Starts all; the filter is the last to come.
    async fn start(folder: &Path, filter: &Value) -> Result<Self> {
        fs::create_dir(folder.join("manifests"))?;
        let hello = fs::read("../envoy-config/plain/manifests/hello.yaml")?;
        fs::write(folder.join("manifests/hello.yaml"), hello)?;
        make_certificates(folder).await?;
        let start = async |name: &'static str, part: &str, flag: String| {
            let daemon = Daemon::stopped(name, folder, Addresses::ANY);
            let daemon = daemon.with(vec![flag], Vec::new());
            let mut daemon = daemon.secured(Security::Tls(folder.join("tls").join(part)));
            daemon.start_again().await?;
            daemon.ready().await?;
            anyhow::Ok(daemon)
        };
        let flag = format!("--manifests={}", folder.join("manifests").display());
        let control_plane = start("wakegate-control-plane", "control-plane", flag).await?;
        let grpc = control_plane.addresses().grpc;
        let flag = format!("--control-plane=https://{grpc}");
        let scaler = start("wakegate-scaler", "scaler", flag).await?;

        let (address, admin) = (free_address()?, free_address()?);
        let served = Served { folder };
        served.write(address, &[grpc, scaler.addresses().grpc])?;
        // Envoy wants the file to be there, whatever it holds.
        served.put("ecds", &[])?;
        let bootstrap = json!({
            "node": { "id": "router~198.18.0.9~gateway.istio-ingress~svc", "cluster": "gateway" },
            "admin": { "address": socket(admin) },
            "dynamic_resources": { "lds_config": served.from("lds"), "cds_config": served.from("cds") },
        });
        let config = folder.join("bootstrap.json");
        fs::write(&config, bootstrap.to_string())?;
        let args = [
            "-c",
            &config.display().to_string(),
            "--concurrency",
            "2",
            "--use-dynamic-base-id",
        ];
        let args = args.map(str::to_owned);
        let envoy = Process::start(&programs::envoy()?, args, &folder.join("envoy.log"))?;
        let gateway = Self {
            folder: folder.to_owned(),
            address,
            admin,
            envoy,
            control_plane,
            scaler,
        };
        gateway.opens_with(filter).await?;
        Ok(gateway)
    }

    /// Gives it the filter after the listener. Until then no request passes by it uncounted.
    async fn opens_with(&self, filter: &Value) -> Result<()> {
        let early = async || {
            let early = get("http://hello.example/").ok()?;
            let answer = fetch(Version::H1, self.address, early).await.ok()?;
            (answer.status == 500).then_some(())
        };
        eventually(LIMIT, "a gateway without its filter", early).await?;
        self.served().put("ecds", std::slice::from_ref(filter))?;
        eventually(LIMIT, "both workers have the table", async || {
            let samples = samples(self.admin, "/stats/prometheus").await.ok()?;
            let has_table = samples.sum("wakegate_table_version") > 0.0;
            (has_table && samples.sum("wakegate_control_plane_connected") >= 2.0).then_some(())
        })
        .await
        .context(self.envoy.tail(12))
    }

    fn served(&self) -> Served<'_> {
        Served {
            folder: &self.folder,
        }
    }

    async fn counts(&self, name: &str) -> Result<f64> {
        Ok(samples(self.admin, "/stats/prometheus").await?.sum(name))
    }

    /// A request that wakes, with endpoints that are late in Envoy.
    async fn a_request_is_held_and_answered(self) -> Result<()> {
        let client = H2::open(self.address).await?;
        let held = client
            .send_until_held("http://hello.example/", LIMIT)
            .await?;
        let app = AppCommand::sample(&self.folder).start("hello").await?;
        let endpoint = fs::read_to_string("../envoy-config/plain/endpoint.yaml")?;
        let endpoint = endpoint.replace("9000", &app.address().port().to_string());
        fs::write(self.folder.join("manifests/endpoint.yaml"), endpoint)?;
        sleep(LATE).await;
        self.served()
            .put_endpoints("hello", HELLO, &[app.address()])?;
        let answer = read(held.await?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
        ensure!(answer.header("x-wakegate-cold-start") == "true");
        let lost = self.counts("wakegate_lost_total").await?;
        ensure!(lost == 0.0, "{lost} requests were lost");
        app.stop(LIMIT).await?;
        self.envoy.terminate(LIMIT).await?;
        let (mut scaler, mut control_plane) = (self.scaler, self.control_plane);
        scaler.terminate().await?;
        control_plane.terminate().await
    }
}

/// The filter's discovery as istiod makes it of the WasmPlugin and istio-agent of its image: a file.
fn of_wasm_plugin() -> Result<Value> {
    let [plugin] = objects("wasm-plugin.yaml")?
        .try_into()
        .ok()
        .context("one object")?;
    ensure!(
        field(&plugin, "/spec/url")?
            .as_str()
            .is_some_and(|url| url.starts_with("oci://"))
    );
    let config = json!({
        "name": PLUGIN,
        "root_id": field(&plugin, "/spec/pluginName")?,
        "failure_policy": field(&plugin, "/spec/failStrategy")?,
        "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": field(&plugin, "/spec/pluginConfig")?.to_string() },
        "vm_config": { "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": programs::filter()? } } },
    });
    Ok(discovered(
        &json!({ "@type": format!("{TYPE}.extensions.filters.http.wasm.v3.Wasm"), "config": config }),
    ))
}

/// The filter of the EnvoyFilter, which is not discovered: for this test it comes the same way.
fn of_envoy_filter() -> Result<Value> {
    let [filter] = objects("envoy-filter.yaml")?
        .try_into()
        .ok()
        .context("one object")?;
    let patch = field(&filter, "/spec/configPatches/0/patch")?;
    ensure!(field(patch, "/operation")? == "INSERT_BEFORE", "{patch}");
    let mut config = field(patch, "/value/typed_config")?.clone();
    let file = config.pointer_mut("/config/vm_config/code/local/filename");
    *file.context("a file")? = json!(programs::filter()?);
    Ok(discovered(&config))
}

fn discovered(config: &Value) -> Value {
    json!({ "@type": format!("{TYPE}.config.core.v3.TypedExtensionConfig"), "name": PLUGIN, "typed_config": config })
}

#[tokio::test]
async fn a_gateway_with_the_wasm_plugin_holds_and_releases() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &of_wasm_plugin()?).await?;

    // What authorization refuses never comes to the filter.
    let denied = get("http://hello.example/denied")?;
    let denied = fetch(Version::H1, gateway.address, denied).await?;
    ensure!(denied.status == 403, "answered with {}", denied.status);
    let held = async || gateway.counts("wakegate_held_total").await;
    eventually_is(LIMIT, "requests that were held", 0.0, held).await?;

    gateway.a_request_is_held_and_answered().await
}

#[tokio::test]
async fn so_does_one_with_the_envoy_filter() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path(), &of_envoy_filter()?).await?;
    gateway.a_request_is_held_and_answered().await
}
