//! Flags as typed, and what they mean.

mod args;
mod authority;
mod keda;

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use wakegate_runtime::{AddressFile, StreamArgs, listen::is_host_and_port, tls::TlsSetting};

pub use self::args::{Args, KubernetesArgs};
pub use self::authority::AuthorityArgs;
pub use self::keda::KedaAuthentication;

use crate::authority::{AuthorityConfig, Holders};

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
    /// The filter's module, where it is served.
    pub module: Option<ModuleConfig>,
    /// The file that is told all addresses.
    pub address_file: Option<AddressFile>,
    /// How gRPC is spoken. Where nothing is said and there is an API server, by an authority of our own.
    pub tls: TlsSetting,
    /// How old streams get, and what comes before a drain.
    pub streams: StreamArgs,
    /// The longest that a drain takes.
    pub drain_limit: Duration,
}

/// The filter's module, as it is served over HTTP.
#[derive(Clone, Debug)]
pub struct ModuleConfig {
    /// The module.
    pub file: PathBuf,
    /// Where it is served.
    pub listen: SocketAddr,
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
    Kubernetes(Box<Kubernetes>),
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
    /// With what KEDA shows who it is, as it stands in each ScaledObject; none without TLS.
    pub keda_authentication: Option<KedaAuthentication>,
    /// Where the Lease is.
    pub lease_namespace: String,
    /// Who holds the Lease.
    pub identity: String,
    /// Where other replicas reach this one; the bound gRPC address where it is not said.
    pub peer_address: Option<String>,
    /// How long requests are held before an Event says why nothing becomes ready.
    pub explain_after: Duration,
    /// The own authority, for where no certificates are given.
    pub authority: AuthorityConfig,
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
            filter_module,
            module_listen,
            address_file,
            streams,
            drain_limit_secs,
            tls,
            log: _,
        } = args;
        let tls = TlsSetting::try_from(tls)?;
        let mut source = match manifests {
            Some(manifests) => files(&manifests)?,
            None => Source::Kubernetes(Box::new(kubernetes.try_into()?)),
        };
        let tls = match &mut source {
            Source::Files { .. } => tls.said()?,
            Source::Kubernetes(kubernetes) => {
                if tls == TlsSetting::PlainText {
                    kubernetes.keda_authentication = None;
                }
                tls
            }
        };
        let gateway_classes = BTreeSet::from_iter(gateway_class);
        Ok(Self {
            source,
            gateway_classes: (!gateway_classes.is_empty()).then_some(gateway_classes),
            listen,
            admin_listen,
            module: filter_module.map(|file| ModuleConfig {
                file,
                listen: module_listen,
            }),
            address_file: address_file.map(AddressFile::new),
            tls,
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
            keda_authentication,
            lease_namespace,
            identity,
            peer_address,
            explain_after_secs,
            authority,
        } = args;
        let lifetimes = authority.lifetimes()?;
        let AuthorityArgs {
            filter_namespace,
            keda_namespace,
            ..
        } = authority;
        let namespaces = namespace.iter().chain(&filter_namespace);
        for name in namespaces.chain([&lease_namespace, &keda_namespace]) {
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
        let identity = identity.unwrap_or_else(own_name);
        let authority = AuthorityConfig {
            holders: Holders {
                namespace: lease_namespace.clone(),
                filter_namespaces: filter_namespace.into_iter().collect(),
                keda_namespace,
                scaler_address: scaler_address.clone(),
            },
            identity: identity.clone(),
            lifetimes,
        };
        Ok(Self {
            namespaces: namespace.into_iter().collect(),
            scaler_address,
            polling_interval: Duration::from_secs(polling_interval_secs),
            keda_authentication: Some(keda_authentication),
            lease_namespace,
            identity,
            peer_address,
            explain_after: Duration::from_secs(explain_after_secs),
            authority,
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
