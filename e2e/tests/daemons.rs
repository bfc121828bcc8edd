//! Both daemons as envoy-config/plain/README.md starts them, for the tests that run files of envoy-config.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::{
    Addresses, App, AppCommand, Daemon, Process, Security, eventually, programs, samples, until,
};

const LIMIT: Duration = Duration::from_secs(30);
const FOLDER: &str = "../envoy-config/plain";

/// A file of envoy-config/plain, with what is other than in the README replaced, each once or more.
pub(crate) fn file(name: &str, replaced: &[(&str, String)]) -> Result<String> {
    let path = Path::new(FOLDER).join(name);
    let mut text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    for (old, new) in replaced {
        ensure!(text.contains(old), "{name} does not say {old}");
        text = text.replace(old, new);
    }
    Ok(text)
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

/// Control plane and scaler, with the manifests of the app `hello` at zero.
#[derive(Debug)]
pub(crate) struct Daemons {
    pub(crate) folder: PathBuf,
    pub(crate) control_plane: Daemon,
    pub(crate) scaler: Daemon,
}

impl Daemons {
    /// With TLS by the README's certificates, in `tls`, or as for a first look.
    pub(crate) async fn start(folder: &Path, has_tls: bool) -> Result<Self> {
        let manifests = folder.join("manifests");
        fs::create_dir(&manifests)?;
        fs::write(
            manifests.join("hello.yaml"),
            file("manifests/hello.yaml", &[])?,
        )?;
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
        Ok(Self {
            folder: folder.to_owned(),
            control_plane,
            scaler,
        })
    }

    /// Where both listen for the filter.
    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        [&self.control_plane, &self.scaler].map(|daemon| daemon.addresses().grpc)
    }

    /// Starts the app and says so, as its pod would.
    pub(crate) async fn wake(&self) -> Result<App> {
        let app = AppCommand::sample(&self.folder).start("hello").await?;
        let port = app.address().port().to_string();
        let endpoint = file("endpoint.yaml", &[("9000", port)])?;
        fs::write(self.endpoint(), endpoint)?;
        Ok(app)
    }

    /// The manifest that says where the app is.
    pub(crate) fn endpoint(&self) -> PathBuf {
        self.folder.join("manifests/endpoint.yaml")
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        self.scaler.terminate().await?;
        self.control_plane.terminate().await
    }
}

/// An Envoy of two workers with this configuration.
pub(crate) fn start_envoy(folder: &Path, config: &Path) -> Result<Process> {
    let config = config.display().to_string();
    let args = ["-c", &config, "--concurrency", "2", "--use-dynamic-base-id"];
    let args = args.map(str::to_owned);
    Process::start(&programs::envoy()?, args, &folder.join("envoy.log"))
}

/// Returns when both workers of an Envoy have the table.
pub(crate) async fn has_table(envoy: &Process, admin: SocketAddr) -> Result<()> {
    eventually(LIMIT, "both workers have the table", async || {
        let samples = samples(admin, "/stats/prometheus").await.ok()?;
        let has_table = samples.sum("wakegate_table_version") > 0.0;
        (has_table && samples.sum("wakegate_control_plane_connected") >= 2.0).then_some(())
    })
    .await
    .context(envoy.tail(30))
}
