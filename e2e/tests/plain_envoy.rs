//! What envoy-config/plain holds works as its README says: the files as they are, on free ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wakegate_e2e::client::{H2, read};
use wakegate_e2e::{
    Addresses, App, AppCommand, Daemon, Process, Security, eventually, eventually_is, free_address,
    programs, samples, until,
};

const LIMIT: Duration = Duration::from_secs(30);
/// How often the certificates of one of its clusters were replaced.
const BY_SDS: &str = "envoy_cluster_client_ssl_socket_factory_ssl_context_update_by_sds";
const FOLDER: &str = "../envoy-config/plain";

/// A file of envoy-config/plain, with what is other than in the README replaced, each once or more.
fn file(name: &str, replaced: &[(&str, String)]) -> Result<String> {
    let path = Path::new(FOLDER).join(name);
    let mut text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    for (old, new) in replaced {
        ensure!(text.contains(old), "{name} does not say {old}");
        text = text.replace(old, new);
    }
    Ok(text)
}

/// Everything that the README starts.
#[derive(Debug)]
struct Example {
    folder: PathBuf,
    address: SocketAddr,
    admin: SocketAddr,
    envoy: Process,
    control_plane: Daemon,
    scaler: Daemon,
}

impl Example {
    /// With TLS, or as for a first look; returns when both workers have the table.
    async fn start(folder: &Path, has_tls: bool) -> Result<Self> {
        let manifests = folder.join("manifests");
        fs::create_dir(&manifests)?;
        let hello = file("manifests/hello.yaml", &[])?;
        fs::write(manifests.join("hello.yaml"), hello)?;
        if has_tls {
            make_certificates(folder).await?;
        }
        let daemon = async |name: &'static str, part: &str, flag: String| {
            let daemon = Daemon::stopped(name, folder, Addresses::ANY);
            let mut daemon = daemon.with(vec![flag], Vec::new());
            if has_tls {
                daemon = daemon.secured(Security::Tls(folder.join("tls").join(part)));
            }
            daemon.start_again().await?;
            daemon.ready().await?;
            anyhow::Ok(daemon)
        };
        let flag = format!("--manifests={}", manifests.display());
        let control_plane = daemon("wakegate-control-plane", "control-plane", flag).await?;
        let scheme = if has_tls { "https" } else { "http" };
        let grpc = control_plane.addresses().grpc;
        let flag = format!("--control-plane={scheme}://{grpc}");
        let scaler = daemon("wakegate-scaler", "scaler", flag).await?;

        let (address, admin) = (free_address()?, free_address()?);
        let ports = [address, admin, grpc, scaler.addresses().grpc];
        let config = envoy_config(folder, has_tls, ports)?;
        let args = ["-c", &config, "--concurrency", "2", "--use-dynamic-base-id"];
        let args = args.map(str::to_owned);
        let envoy = Process::start(&programs::envoy()?, args, &folder.join("envoy.log"))?;
        eventually(LIMIT, "both workers have the table", async || {
            let samples = samples(admin, "/stats/prometheus").await.ok()?;
            let has_table = samples.sum("wakegate_table_version") > 0.0;
            (has_table && samples.sum("wakegate_control_plane_connected") >= 2.0).then_some(())
        })
        .await
        .context(envoy.tail(30))?;
        Ok(Self {
            folder: folder.to_owned(),
            address,
            admin,
            envoy,
            control_plane,
            scaler,
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
        let app = AppCommand::sample(&self.folder).start("hello").await?;
        let port = app.address().port().to_string();
        let endpoint = file("endpoint.yaml", &[("9000", port)])?;
        fs::write(self.endpoint(), endpoint)?;
        Ok(app)
    }

    fn endpoint(&self) -> PathBuf {
        self.folder.join("manifests/endpoint.yaml")
    }

    async fn envoy_counts(&self, name: &str) -> Result<f64> {
        Ok(samples(self.admin, "/stats/prometheus").await?.sum(name))
    }

    async fn end(mut self, app: App) -> Result<()> {
        app.stop(LIMIT).await?;
        self.envoy.terminate(LIMIT).await?;
        self.scaler.terminate().await?;
        self.control_plane.terminate().await
    }
}

/// Runs the script of the README.
pub(crate) async fn make_certificates(folder: &Path) -> Result<()> {
    let script = Path::new(FOLDER).join("certificates");
    let log = folder.join("certificates.log");
    let args = [folder.join("tls")];
    let mut script = Process::start(&script, args, &log)?;
    let ended = until(LIMIT, "certificates are made", || {
        script.ended().transpose()
    });
    let status = ended.await??;
    ensure!(status.success(), "{status}: {}", script.log());
    Ok(())
}

/// Puts Envoy's files into `folder`, at the ports of clients, of Envoy's admin endpoint, of control plane and scaler.
fn envoy_config(folder: &Path, has_tls: bool, ports: [SocketAddr; 4]) -> Result<String> {
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
    Ok(path.display().to_string())
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
        (&example.control_plane, "wakegate_control_plane"),
        (&example.scaler, "wakegate_scaler"),
    ] {
        let name = format!("{prefix}_tls_reloads_total{{outcome=\"applied\"}}");
        let applied = async || (daemon.samples().await.ok()?.sum(&name) >= 1.0).then_some(());
        eventually(LIMIT, &name, applied).await?;
    }
    let taken = async || (example.envoy_counts(BY_SDS).await.ok()? >= before + 2.0).then_some(());
    eventually(LIMIT, "Envoy has taken them", taken).await?;
    app.stop(LIMIT).await?;
    fs::remove_file(example.endpoint())?;
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
