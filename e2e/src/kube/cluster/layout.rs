//! Where everything of one cluster is: folder, ports, address ranges, credentials.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result, ensure};
use serde_json::json;

/// What `scripts/in-namespace` puts on the loopback device: the API server refuses to advertise a loopback address.
pub(super) const ADVERTISED: &str = "198.18.0.1";

/// Below the ports that the kernel gives to clients: a program that is down for a while finds its port
/// free again.
const FIRST_PORT: u16 = 20_000;
const PORTS_PER_CLUSTER: u16 = 100;

/// So many clusters fit into their address ranges.
const MOST_CLUSTERS: u8 = 100;

/// The number of the next cluster of this program.
static NEXT: AtomicU8 = AtomicU8::new(0);

/// Who may do everything; each its own name, so that logs and managed fields tell them apart.
const ADMINS: [&str; 5] = [
    ADMIN,
    "kube-controller-manager",
    "keda-operator",
    "keda-adapter",
    "keda-webhooks",
];
/// Who the tests are.
pub(super) const ADMIN: &str = "admin";

/// The place of one cluster among those of this program.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) folder: PathBuf,
    pub(super) number: u8,
    pub(super) ports: Ports,
}

/// Ports of the loopback device.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peers: u16,
    pub(super) api_server: u16,
    pub(super) controller_manager: u16,
    pub(super) operator_metrics: u16,
    pub(super) operator_probe: u16,
    pub(super) operator_grpc: u16,
    pub(super) adapter: u16,
    pub(super) adapter_metrics: u16,
    pub(super) webhooks: u16,
    pub(super) webhooks_metrics: u16,
    pub(super) webhooks_probe: u16,
}

impl Layout {
    /// The next cluster's, with its certificates and credentials written.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        TcpListener::bind((ADVERTISED, 0)).with_context(|| {
            format!("{ADVERTISED} is no address of this machine: run these tests with `./justw e2e-kube`")
        })?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        ensure!(
            number < MOST_CLUSTERS,
            "more than {MOST_CLUSTERS} clusters in one program"
        );
        let ports = Ports::free(FIRST_PORT + u16::from(number) * PORTS_PER_CLUSTER)?;
        let layout = Self {
            folder,
            number,
            ports,
        };
        super::authority::write(&layout.certificates())?;
        layout.write_credentials()?;
        std::fs::write(layout.hosts(), "127.0.0.1 localhost\n")
            .context("write the file of hosts")?;
        Ok(layout)
    }

    /// The addresses of Services.
    pub(super) fn service_range(&self) -> String {
        format!("10.{}.0.0/16", 100 + self.number)
    }

    /// The first three bytes of the addresses of pods.
    pub(super) fn pod_subnet(&self) -> [u8; 3] {
        [198, 18, self.number + 1]
    }

    pub(super) fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    pub(super) fn certificate(&self, name: &str) -> PathBuf {
        self.certificates().join(name)
    }

    /// Where one of the administrators finds the API server.
    pub(super) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.folder.join(format!("{user}.kubeconfig"))
    }

    /// The tokens that the API server knows.
    pub(super) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    /// What Services are called, in place of DNS.
    pub(super) fn hosts(&self) -> PathBuf {
        self.folder.join("hosts")
    }

    /// Where everything inside of the cluster finds the API server.
    pub(super) fn api_server(&self) -> (&'static str, u16) {
        (ADVERTISED, self.ports.api_server)
    }

    /// Where the node keeps what containers print, and their volumes.
    pub(super) fn pods(&self) -> PathBuf {
        self.folder.join("pods")
    }

    pub(super) fn log(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.log"))
    }

    /// A kubeconfig for whoever has `token`.
    pub(super) fn write_kubeconfig(&self, path: &Path, user: &str, token: &str) -> Result<()> {
        let server = format!("https://127.0.0.1:{}", self.ports.api_server);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "e2e",
                "cluster": {"server": server, "certificate-authority": self.certificate("ca.crt")},
            }],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": user}}],
            "current-context": "e2e",
        });
        // JSON is YAML.
        std::fs::write(path, config.to_string()).context("write a kubeconfig")
    }

    fn write_credentials(&self) -> Result<()> {
        let mut tokens = Vec::new();
        for user in ADMINS {
            let token = format!("token-of-{user}");
            tokens.push(format!("{token},{user},{user},system:masters\n"));
            self.write_kubeconfig(&self.kubeconfig(user), user, &token)?;
        }
        std::fs::write(self.tokens(), tokens.concat()).context("write the tokens")
    }
}

impl Ports {
    /// The first free ones from `first` on.
    fn free(first: u16) -> Result<Self> {
        let mut candidates = first..first + PORTS_PER_CLUSTER;
        let mut next = || {
            candidates
                .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
                .context("no free port is left for this cluster")
        };
        Ok(Self {
            etcd: next()?,
            etcd_peers: next()?,
            api_server: next()?,
            controller_manager: next()?,
            operator_metrics: next()?,
            operator_probe: next()?,
            operator_grpc: next()?,
            adapter: next()?,
            adapter_metrics: next()?,
            webhooks: next()?,
            webhooks_metrics: next()?,
            webhooks_probe: next()?,
        })
    }
}
