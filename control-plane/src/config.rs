//! Flags as typed, and what they mean.

mod args;

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use wakegate_runtime::{AddressFile, StreamArgs};

pub use self::args::{Args, KubernetesArgs};

/// What the flags mean.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where objects come from.
    pub source: Source,
    /// The GatewayClasses that are served; every class where there is none.
    pub gateway_classes: Option<BTreeSet<String>>,
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where the admin server is.
    pub admin_listen: SocketAddr,
    /// The file that is told both addresses.
    pub address_file: Option<AddressFile>,
    /// How old streams get, and what comes before a drain.
    pub streams: StreamArgs,
    /// The longest that a drain takes.
    pub drain_limit: Duration,
}

/// Where objects come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A directory.
    Files {
        /// It, absolute: events name their files so.
        manifests: PathBuf,
    },
    /// An API server.
    Kubernetes(Kubernetes),
}

/// What is read from an API server, and what is written to it.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    /// The namespaces that are read; every one where it is empty.
    pub namespaces: BTreeSet<String>,
    /// Where KEDA finds the scaler: it stands in each ScaledObject.
    pub scaler_address: String,
    /// How often KEDA asks, as it stands in each ScaledObject.
    pub polling_interval: Duration,
    /// Where the Lease is.
    pub lease_namespace: String,
    /// Who holds the Lease.
    pub identity: String,
    /// Where other replicas reach this one; the bound gRPC address where it is not said.
    pub peer_address: Option<String>,
    /// How long requests are held before an Event says why nothing becomes ready.
    pub explain_after: Duration,
}

/// Where the kernel says how this machine, or pod, is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

impl TryFrom<Args> for Config {
    type Error = anyhow::Error;

    fn try_from(args: Args) -> anyhow::Result<Self> {
        let Args {
            manifests,
            kubernetes,
            gateway_class,
            listen,
            admin_listen,
            address_file,
            streams,
            drain_limit_secs,
            log: _,
        } = args;
        let source = match manifests {
            Some(manifests) => files(&manifests)?,
            None => Source::Kubernetes(kubernetes.try_into()?),
        };
        let gateway_classes = BTreeSet::from_iter(gateway_class);
        Ok(Self {
            source,
            gateway_classes: (!gateway_classes.is_empty()).then_some(gateway_classes),
            listen,
            admin_listen,
            address_file: address_file.map(AddressFile::new),
            streams,
            drain_limit: Duration::from_secs(drain_limit_secs),
        })
    }
}

fn files(manifests: &Path) -> anyhow::Result<Source> {
    let shown = manifests.display();
    let manifests = manifests
        .canonicalize()
        .with_context(|| format!("--manifests {shown}"))?;
    ensure!(manifests.is_dir(), "--manifests {shown}: not a directory");
    Ok(Source::Files { manifests })
}

impl TryFrom<KubernetesArgs> for Kubernetes {
    type Error = anyhow::Error;

    fn try_from(args: KubernetesArgs) -> anyhow::Result<Self> {
        let KubernetesArgs {
            namespace,
            scaler_address,
            polling_interval_secs,
            lease_namespace,
            identity,
            peer_address,
            explain_after_secs,
        } = args;
        for name in namespace.iter().chain([&lease_namespace]) {
            ensure!(
                is_namespace(name),
                "{name:?} is no namespace: lower-case letters, digits and - are"
            );
        }
        let addresses = [("--scaler-address", Some(&scaler_address))];
        for (flag, address) in addresses
            .into_iter()
            .chain([("--peer-address", peer_address.as_ref())])
        {
            if let Some(address) = address {
                ensure!(
                    is_host_and_port(address),
                    "{flag} {address}: not HOST:PORT, such as wakegate-scaler.wakegate:9090"
                );
            }
        }
        Ok(Self {
            namespaces: namespace.into_iter().collect(),
            scaler_address,
            polling_interval: Duration::from_secs(polling_interval_secs),
            lease_namespace,
            identity: identity.unwrap_or_else(own_name),
            peer_address,
            explain_after: Duration::from_secs(explain_after_secs),
        })
    }
}

fn is_namespace(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// The host's name, and something that tells two processes of one host apart.
fn own_name() -> String {
    let host = fs::read_to_string(HOST_NAME).unwrap_or_default();
    let host = match host.trim() {
        "" => "wakegate",
        host => host,
    };
    format!("{host}-{:08x}", rand::random::<u32>())
}

#[cfg(test)]
mod tests;
