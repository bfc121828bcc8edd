//! What envoy-config/plain holds works as its README says: the files as they are, on free ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::{App, AppCommand, Daemon, Process, eventually, free_address, programs, samples};

const LIMIT: Duration = Duration::from_secs(30);

/// A file of envoy-config/plain, with what is other than in the README replaced, each once or more.
fn file(name: &str, replaced: &[(&str, String)]) -> Result<String> {
    let path = Path::new("../envoy-config/plain").join(name);
    let mut text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    for (old, new) in replaced {
        ensure!(text.contains(old), "{name} does not say {old}");
        text = text.replace(old, new);
    }
    Ok(text)
}

async fn daemon(name: &'static str, folder: &Path, flag: String) -> Result<Daemon> {
    let daemon = Daemon::start(name, folder, vec![flag]).await?;
    daemon.ready().await?;
    Ok(daemon)
}

fn port(address: SocketAddr) -> String {
    format!("port_value: {}", address.port())
}

#[tokio::test]
async fn a_held_request_is_answered_when_the_endpoint_file_is_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let manifests = folder.join("manifests");
    fs::create_dir(&manifests)?;
    fs::write(
        manifests.join("hello.yaml"),
        file("manifests/hello.yaml", &[])?,
    )?;
    let flag = format!("--manifests={}", manifests.display());
    let mut control_plane = daemon("wakegate-control-plane", folder, flag).await?;
    let flag = format!("--control-plane=http://{}", control_plane.addresses().grpc);
    let mut scaler = daemon("wakegate-scaler", folder, flag).await?;

    let (address, admin) = (free_address()?, free_address()?);
    let config = file(
        "envoy.yaml",
        &[
            ("port_value: 8080", port(address)),
            ("port_value: 9901", port(admin)),
            ("port_value: 18000", port(control_plane.addresses().grpc)),
            ("port_value: 18010", port(scaler.addresses().grpc)),
            (
                "target/wasm/wakegate_filter.wasm",
                programs::filter()?.display().to_string(),
            ),
        ],
    )?;
    let config_file: PathBuf = folder.join("envoy.yaml");
    fs::write(&config_file, config)?;
    let args = [
        "-c",
        &config_file.to_string_lossy(),
        "--concurrency",
        "2",
        "--use-dynamic-base-id",
    ]
    .map(str::to_owned);
    let envoy = Process::start(&programs::envoy()?, args, &folder.join("envoy.log"))?;
    eventually(LIMIT, "both workers have the table", async || {
        let samples = samples(admin, "/stats/prometheus").await.ok()?;
        let has_table = samples.sum("wakegate_table_version") > 0.0;
        (has_table && samples.sum("wakegate_control_plane_connected") >= 2.0).then_some(())
    })
    .await
    .context(envoy.tail(30))?;

    let request = get("http://hello.example/")?;
    let held = fetch(Version::H1, address, request);
    let wake = wake(folder, &manifests, admin);
    let (answer, app) = tokio::try_join!(held, wake)?;
    ensure!(answer.status == 200, "answered with {}", answer.status);
    ensure!(answer.header("x-wakegate-cold-start") == "true");
    ensure!(answer.header("server-timing").starts_with("wakegate;dur="));

    app.stop(LIMIT).await?;
    envoy.terminate(LIMIT).await?;
    scaler.terminate().await?;
    control_plane.terminate().await
}

/// What the reader of the README does: waits until the request is held, starts an app, says so.
async fn wake(folder: &Path, manifests: &Path, admin: SocketAddr) -> Result<App> {
    eventually(LIMIT, "the request is held", async || {
        let samples = samples(admin, "/stats/prometheus").await.ok()?;
        (samples.sum("wakegate_held") >= 1.0).then_some(())
    })
    .await?;
    let app = AppCommand::sample(folder).start("hello").await?;
    let endpoint = file(
        "endpoint.yaml",
        &[("9000", app.address().port().to_string())],
    )?;
    fs::write(manifests.join("endpoint.yaml"), endpoint)?;
    Ok(app)
}
