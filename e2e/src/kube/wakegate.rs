//! Our daemons on a cluster: each with the rights of its own service account, outside of any pod.

mod clients;
mod options;
mod replica;
mod secrets;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use tokio::sync::OnceCell;

pub use self::replica::Replica;

use super::cluster::Cluster;
use super::front;
use crate::daemon::{Addresses, Daemon};
use crate::envoy::EnvoyTls;
use crate::front::Front;
use crate::relay::Relay;

pub use self::options::{Certified, WakegateOptions};

use self::clients::Clients;

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
    /// What each of them has between itself and the API server, where that was asked for.
    ways: Vec<Relay>,
    scaler: Replica,
    more_scalers: Vec<Replica>,
    clients: Clients,
    _fronts: Vec<Front>,
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
        let mut scalers = Vec::new();
        for _ in 0..options.n_scalers {
            scalers.push(own_address()?);
        }
        // KEDA reaches several at one address, as at a Service.
        let scaler = match scalers.as_slice() {
            [alone] => *alone,
            _ => own_address()?,
        };
        let (control_planes, ways) = control_planes(cluster, options, scaler).await?;
        let service = own_address()?;
        let backends = control_planes
            .iter()
            .map(|it: &Replica| it.addresses().grpc)
            .collect();
        let mut fronts = vec![front::start(cluster, service, backends).await?];
        if scalers.len() > 1 {
            fronts.push(front::start(cluster, scaler, scalers.clone()).await?);
        }
        // They sign what the others need.
        for replica in &control_planes {
            replica.start(cluster).await?;
        }
        let clients = Clients::of(cluster, options.certified).await?;
        let mut more_scalers = start_scalers(cluster, service, &scalers, options, &clients)?;
        for replica in &more_scalers {
            replica.start(cluster).await?;
        }
        let started = Self {
            control_planes,
            ways,
            scaler: more_scalers.remove(0),
            more_scalers,
            clients,
            _fronts: fronts,
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

    /// What is between a control plane and the API server, in a Wakegate that is relayed.
    pub fn way_to_api_server(&self, number: usize) -> Result<&Relay> {
        let way = self.ways.get(number);
        way.with_context(|| format!("control plane {number} is not relayed"))
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

    /// All scalers.
    pub fn scalers(&self) -> impl Iterator<Item = &Replica> {
        [&self.scaler].into_iter().chain(&self.more_scalers)
    }

    /// Control planes and scalers.
    pub fn all(&self) -> impl Iterator<Item = &Replica> {
        self.control_planes.iter().chain(self.scalers())
    }

    /// An error when one has ended by itself.
    pub async fn is_well(&self) -> Result<()> {
        for replica in self.all() {
            replica.is_well().await?;
        }
        Ok(())
    }

    /// The last lines of each log, or the last that name `what`.
    pub fn tails(&self, n_lines: usize, what: Option<&str>) -> String {
        let tails = self.all().map(|replica| replica.tail(n_lines, what));
        tails.collect()
    }
}

/// Those that are to be started, and what is between each and the API server where it can be cut off.
async fn control_planes(
    cluster: &Cluster,
    options: &WakegateOptions<'_>,
    scaler: SocketAddr,
) -> Result<(Vec<Replica>, Vec<Relay>)> {
    let kubeconfig = cluster
        .kubeconfig_for(WAKEGATE_NAMESPACE, WAKEGATE_ACCOUNT)
        .await
        .context("be the control plane's service account")?;
    let (mut replicas, mut ways) = (Vec::new(), Vec::new());
    for number in 0..options.n_control_planes {
        let name = format!("control-plane-{number}");
        let args = options.control_plane_args(&name, scaler);
        let folder = folder(cluster, &name)?;
        let mut kubeconfig = kubeconfig.clone();
        if options.is_relayed {
            let way = relayed(cluster, &mut kubeconfig, &folder).await?;
            ways.push(way);
        }
        let environment = vec![("KUBECONFIG", kubeconfig.into_os_string())];
        let daemon = Daemon::stopped("wakegate-control-plane", &folder, own_addresses()?);
        let daemon = daemon.secured(options.certified.control_plane()?);
        replicas.push(Replica::new(daemon.with(args, environment)));
    }
    Ok((replicas, ways))
}

fn start_scalers(
    cluster: &Cluster,
    control_planes: SocketAddr,
    scalers: &[SocketAddr],
    options: &WakegateOptions<'_>,
    clients: &Clients,
) -> Result<Vec<Replica>> {
    let scheme = clients.scheme();
    let mut args = vec![format!("--control-plane={scheme}://{control_planes}")];
    if scalers.len() > 1 {
        args.extend(scalers.iter().map(|peer| format!("--peer={peer}")));
    }
    args.extend(options.flags.iter().map(|flag| (*flag).to_owned()));
    let mut replicas = Vec::new();
    for (number, grpc) in scalers.iter().enumerate() {
        let name = match number {
            0 => "scaler".to_owned(),
            _ => format!("scaler-{number}"),
        };
        let folder = folder(cluster, &name)?;
        let addresses = Addresses {
            grpc: *grpc,
            admin: own_address()?,
            module: None,
        };
        let daemon = Daemon::stopped("wakegate-scaler", &folder, addresses);
        let daemon = daemon.secured(clients.scaler.clone());
        replicas.push(Replica::new(daemon.with(args.clone(), Vec::new())));
    }
    Ok(replicas)
}

/// Has `kubeconfig` lead through a relay.
async fn relayed(cluster: &Cluster, kubeconfig: &mut PathBuf, folder: &Path) -> Result<Relay> {
    let text = std::fs::read_to_string(&*kubeconfig).context("read a kubeconfig")?;
    let mut config: Value = serde_json::from_str(&text).context("ours are JSON")?;
    let server = config.pointer_mut("/clusters/0/cluster/server");
    let server = server.context("it names a server")?;
    let address = server.as_str().and_then(|it| it.strip_prefix("https://"));
    let address = address.context("it is a URL")?.parse()?;
    let relay = cluster.at_home(Relay::start(address)).await?;
    *server = format!("https://{}", relay.address()).into();
    *kubeconfig = folder.join("kubeconfig");
    std::fs::write(&*kubeconfig, config.to_string()).context("write a kubeconfig")?;
    Ok(relay)
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
        module: None,
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
