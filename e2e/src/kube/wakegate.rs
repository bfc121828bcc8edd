//! Our daemons on a cluster: each with the rights of its own service account, outside of any pod.

mod clients;
mod options;
mod secrets;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::sync::{Mutex, OnceCell};

use super::cluster::Cluster;
use super::front;
use crate::background::Background;
use crate::daemon::{Addresses, Daemon};
use crate::envoy::EnvoyTls;

pub use options::{Certified, WakegateOptions};

use clients::Clients;

/// Where Wakegate is installed.
pub const WAKEGATE_NAMESPACE: &str = "wakegate";
/// The service account of the control plane there.
pub const WAKEGATE_ACCOUNT: &str = "wakegate-control-plane";

/// Above the ports of clusters and below those that the kernel gives to clients: a daemon that is down for a
/// while finds its port free again.
const FIRST_PORT: u16 = 30_100;
const LAST_PORT: u16 = 32_700;

/// Control plane and scaler of one cluster.
#[derive(Debug)]
pub struct Wakegate {
    control_planes: Vec<Replica>,
    scaler: Replica,
    clients: Clients,
    _front: Background,
}

/// One daemon, which lives where the cluster does.
#[derive(Debug, Clone)]
pub struct Replica {
    addresses: Addresses,
    log: PathBuf,
    daemon: Arc<Mutex<Daemon>>,
}

impl Wakegate {
    /// Starts a scaler and so many control planes; returns when all are ready.
    pub async fn start(cluster: &Cluster, n_control_planes: usize) -> Result<Self> {
        let options = WakegateOptions {
            n_control_planes,
            ..WakegateOptions::default()
        };
        Self::start_with(cluster, &options).await
    }

    /// The same with more to say.
    pub async fn start_with(cluster: &Cluster, options: &WakegateOptions<'_>) -> Result<Self> {
        let scaler = own_addresses()?;
        let control_planes = control_planes(cluster, options, scaler).await?;
        let service = own_address()?;
        let backends = control_planes.iter().map(|it| it.addresses.grpc).collect();
        let front = front::start(cluster, service, backends).await?;
        // They sign what the others need.
        for replica in &control_planes {
            replica.start(cluster).await?;
        }
        let clients = Clients::of(cluster, options.certified).await?;
        let args = vec![format!("--control-plane={}://{service}", clients.scheme())];
        let daemon = Daemon::stopped("wakegate-scaler", &folder(cluster, "scaler")?, scaler);
        let daemon = daemon.secured(clients.scaler.clone());
        let scaler = Replica::new(daemon.with(args, Vec::new()));
        scaler.start(cluster).await?;
        let started = Self {
            control_planes,
            scaler,
            clients,
            _front: front,
        };
        for replica in started.all() {
            replica.ready().await?;
        }
        Ok(started)
    }

    /// Those of the shared cluster; the first to ask starts them. Tests that end one of them start their own,
    /// on a cluster of their own.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Result<Wakegate, String>> = OnceCell::const_new();
        let start = async || {
            let started = async { Self::start(Cluster::shared().await?, 1).await };
            started.await.map_err(|error| format!("{error:#}"))
        };
        let started = SHARED.get_or_init(start).await;
        started
            .as_ref()
            .map_err(|error| anyhow!("the shared Wakegate did not start: {error}"))
    }

    /// One control plane.
    pub fn control_plane(&self, number: usize) -> Result<&Replica> {
        let replica = self.control_planes.get(number);
        replica.with_context(|| format!("no control plane {number}"))
    }

    /// All control planes.
    pub fn control_planes(&self) -> &[Replica] {
        &self.control_planes
    }

    /// The scaler.
    pub fn scaler(&self) -> &Replica {
        &self.scaler
    }

    /// How an Envoy speaks to them.
    pub(super) fn envoy_tls(&self) -> Option<&EnvoyTls> {
        self.clients.envoy.as_ref()
    }

    /// Control planes and scaler.
    pub fn all(&self) -> impl Iterator<Item = &Replica> {
        self.control_planes.iter().chain([&self.scaler])
    }

    /// An error when one has ended by itself.
    pub async fn is_well(&self) -> Result<()> {
        for replica in self.all() {
            replica.daemon.lock().await.is_well()?;
        }
        Ok(())
    }

    /// The last lines of each log, or the last that name `what`.
    pub fn tails(&self, n_lines: usize, what: Option<&str>) -> String {
        let tails = self.all().map(|replica| replica.tail(n_lines, what));
        tails.collect()
    }
}

impl Replica {
    fn new(daemon: Daemon) -> Self {
        Self {
            addresses: daemon.addresses(),
            log: daemon.log_path(),
            daemon: Arc::new(Mutex::new(daemon)),
        }
    }

    /// Where it listens, also while it does not run.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Starts it where it was; returns when it listens.
    pub async fn start(&self, cluster: &Cluster) -> Result<()> {
        let daemon = Arc::clone(&self.daemon);
        let start = async move { daemon.lock().await.start_again().await };
        cluster.at_home(start).await
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) -> Result<()> {
        self.daemon.lock().await.ready().await
    }

    /// Ends it at once, as a crash would.
    pub async fn kill(&self) -> Result<()> {
        self.daemon.lock().await.kill()
    }

    /// Stalls it: its connections stay open, and nobody answers.
    pub async fn pause(&self) -> Result<()> {
        self.daemon.lock().await.pause()
    }

    /// Lets it go on after a pause.
    pub async fn resume(&self) -> Result<()> {
        self.daemon.lock().await.resume()
    }

    /// Ends it as a rollout does.
    pub async fn terminate(&self) -> Result<()> {
        self.daemon.lock().await.terminate().await
    }

    /// The sum of its samples of one metric.
    pub async fn counted(&self, name: &str) -> Result<f64> {
        Ok(self.daemon.lock().await.samples().await?.sum(name))
    }

    /// What it logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn tail(&self, n_lines: usize, what: Option<&str>) -> String {
        let log = self.log();
        let lines = log.lines();
        let lines: Vec<_> = lines
            .filter(|line| what.is_none_or(|what| line.contains(what)))
            .collect();
        let tail = lines.get(lines.len().saturating_sub(n_lines)..);
        let tail = tail.unwrap_or_default().join("\n");
        format!("--- {}\n{tail}\n", self.log.display())
    }
}

/// Those that are to be started.
async fn control_planes(
    cluster: &Cluster,
    options: &WakegateOptions<'_>,
    scaler: Addresses,
) -> Result<Vec<Replica>> {
    let kubeconfig = cluster
        .kubeconfig_for(WAKEGATE_NAMESPACE, WAKEGATE_ACCOUNT)
        .await
        .context("be the control plane's service account")?;
    let mut replicas = Vec::new();
    for number in 0..options.n_control_planes {
        let name = format!("control-plane-{number}");
        let args = options.control_plane_args(&name, scaler);
        let environment = vec![("KUBECONFIG", kubeconfig.clone().into_os_string())];
        let folder = folder(cluster, &name)?;
        let daemon = Daemon::stopped("wakegate-control-plane", &folder, own_addresses()?);
        let daemon = daemon.secured(options.certified.control_plane()?);
        replicas.push(Replica::new(daemon.with(args, environment)));
    }
    Ok(replicas)
}

fn folder(cluster: &Cluster, name: &str) -> Result<PathBuf> {
    let folder = cluster.folder().join(name);
    std::fs::create_dir_all(&folder).context("make a daemon's folder")?;
    Ok(folder)
}

fn own_addresses() -> Result<Addresses> {
    Ok(Addresses {
        grpc: own_address()?,
        admin: own_address()?,
    })
}

/// An address that nobody else in this program takes.
fn own_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(FIRST_PORT);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        ensure!(port < LAST_PORT, "no port is left for a daemon");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
    }
}
