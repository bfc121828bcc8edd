//! What envoy-config/plain holds works as its README says: the files as they are, on free ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wakegate_e2e::client::{H2, read};
use wakegate_e2e::{App, Process, eventually, eventually_is, free_address, programs, samples};

use crate::daemons::{Daemons, file, has_table, make_certificates, start_envoy};

const LIMIT: Duration = Duration::from_secs(30);
/// How often the certificates of one of its clusters were replaced.
const BY_SDS: &str = "envoy_cluster_client_ssl_socket_factory_ssl_context_update_by_sds";

/// Everything that the README starts.
#[derive(Debug)]
struct Example {
    daemons: Daemons,
    address: SocketAddr,
    admin: SocketAddr,
    envoy: Process,
}

impl Example {
    /// With TLS, or as for a first look; returns when both workers have the table.
    async fn start(folder: &Path, has_tls: bool) -> Result<Self> {
        let daemons = Daemons::start(folder, has_tls).await?;
        let [control_plane, scaler] = daemons.addresses();
        let (address, admin) = (free_address()?, free_address()?);
        let ports = [address, admin, control_plane, scaler];
        let config = envoy_config(folder, has_tls, ports)?;
        let envoy = start_envoy(folder, &config)?;
        has_table(&envoy, admin).await?;
        Ok(Self {
            daemons,
            address,
            admin,
            envoy,
        })
    }

    /// What its reader sees: the request waits until there is an endpoint.
    async fn a_request_is_held_and_answered(&self) -> Result<App> {
        let client = H2::open(self.address).await?;
        let held = client
            .send_until_held("http://hello.example/", LIMIT)
            .await?;
        let app = self.wake().await?;
        let answer = read(held.await?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
        ensure!(answer.header("x-wakegate-cold-start") == "true");
        ensure!(answer.header("server-timing").starts_with("wakegate;dur="));
        Ok(app)
    }

    /// What its reader does: sees that the request is held, starts an app, says so.
    async fn wake(&self) -> Result<App> {
        let held = async || self.envoy_counts("wakegate_held").await;
        eventually_is(LIMIT, "requests held", 1.0, held).await?;
        self.daemons.wake().await
    }

    async fn envoy_counts(&self, name: &str) -> Result<f64> {
        Ok(samples(self.admin, "/stats/prometheus").await?.sum(name))
    }

    async fn end(self, app: App) -> Result<()> {
        app.stop(LIMIT).await?;
        self.envoy.terminate(LIMIT).await?;
        self.daemons.end().await
    }
}

/// Puts Envoy's files into `folder`, at the ports of clients, of Envoy's admin endpoint, of control plane and scaler.
pub(crate) fn envoy_config(
    folder: &Path,
    has_tls: bool,
    ports: [SocketAddr; 4],
) -> Result<PathBuf> {
    let ours = ["8080", "9901", "18000", "18010"].map(|port| format!("port_value: {port}"));
    let ports = ports.map(|address| format!("port_value: {}", address.port()));
    let mut replaced: Vec<_> = ours.iter().map(String::as_str).zip(ports).collect();
    let filter = programs::filter()?.display().to_string();
    replaced.push(("target/wasm/wakegate_filter.wasm", filter));
    let name = if has_tls {
        let sds = folder.join("sds");
        fs::create_dir(&sds)?;
        let tls = folder.join("tls").display().to_string();
        for name in ["certificate.yaml", "authorities.yaml"] {
            let text = file(
                &format!("sds/{name}"),
                &[("/tmp/wakegate-tls", tls.clone())],
            )?;
            fs::write(sds.join(name), text)?;
        }
        replaced.push(("envoy-config/plain/sds", sds.display().to_string()));
        "envoy.yaml"
    } else {
        "envoy-plain-text.yaml"
    };
    let path = folder.join(name);
    fs::write(&path, file(name, &replaced)?)?;
    Ok(path)
}

#[tokio::test]
async fn a_held_request_is_answered_when_the_endpoint_file_is_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let example = Example::start(folder.path(), true).await?;
    let app = example.a_request_is_held_and_answered().await?;

    // Again, as the README says: all have new certificates, of a new authority.
    let before = example.envoy_counts(BY_SDS).await?;
    make_certificates(folder.path()).await?;
    for (daemon, prefix) in [
        (&example.daemons.control_plane, "wakegate_control_plane"),
        (&example.daemons.scaler, "wakegate_scaler"),
    ] {
        let name = format!("{prefix}_tls_reloads_total{{outcome=\"applied\"}}");
        let applied = async || (daemon.samples().await.ok()?.sum(&name) >= 1.0).then_some(());
        eventually(LIMIT, &name, applied).await?;
    }
    let taken = async || (example.envoy_counts(BY_SDS).await.ok()? >= before + 2.0).then_some(());
    eventually(LIMIT, "Envoy has taken them", taken).await?;
    app.stop(LIMIT).await?;
    fs::remove_file(example.daemons.endpoint())?;
    let app = example.a_request_is_held_and_answered().await?;
    example.end(app).await
}

#[tokio::test]
async fn so_it_is_at_a_first_look_in_plain_text() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let example = Example::start(folder.path(), false).await?;
    let app = example.a_request_is_held_and_answered().await?;
    example.end(app).await
}

/// Otherwise one of the two would be forgotten when the other one changes.
#[test]
fn both_configurations_differ_in_tls_alone() -> Result<()> {
    let parse = |name| serde_saphyr::from_str::<Value>(&file(name, &[])?).context("parse YAML");
    let (mut with, without) = (parse("envoy.yaml")?, parse("envoy-plain-text.yaml")?);
    let clusters = with.pointer_mut("/static_resources/clusters");
    let clusters = clusters.and_then(Value::as_array_mut).context("clusters")?;
    let sockets = clusters.iter_mut().filter_map(Value::as_object_mut);
    let n_sockets = sockets
        .filter_map(|it| it.remove("transport_socket"))
        .count();
    ensure!(n_sockets == 2, "{n_sockets} clusters by TLS");
    ensure!(with == without, "{with:#}\n{without:#}");
    Ok(())
}
