//! Flags as typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;
use wakegate_runtime::{LogArgs, StreamArgs, tls::TlsArgs};

use super::{AuthorityArgs, KedaAuthentication};

/// Pushes routes and readiness to Wakegate's filters, workloads to its scalers, endpoints to Envoy.
///
/// Objects come from Kubernetes (KUBECONFIG, else the cluster that it runs in), or from --manifests.
#[derive(Clone, Debug, Parser)]
#[command(name = "wakegate-control-plane", version)]
pub struct Args {
    /// A directory of manifests to read and to watch, in place of Kubernetes
    #[arg(long, env = "WAKEGATE_MANIFESTS", value_name = "DIR")]
    pub manifests: Option<PathBuf>,

    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,

    /// A GatewayClass whose Gateways are served; may be given again [default: every class]
    #[arg(
        long,
        env = "WAKEGATE_GATEWAY_CLASS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub gateway_class: Vec<String>,

    /// Where gRPC is served: routes, endpoints, health
    #[arg(
        long,
        env = "WAKEGATE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18000"
    )]
    pub listen: SocketAddr,

    /// Where /live, /ready, /metrics and /debug/routes are served
    #[arg(
        long,
        env = "WAKEGATE_ADMIN_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18001"
    )]
    pub admin_listen: SocketAddr,

    /// The filter's module, to serve it as `/wakegate_filter.wasm` and its SHA-256 as `/wakegate_filter.wasm.sha256`
    /// [default: it is not served]
    #[arg(long, env = "WAKEGATE_FILTER_MODULE", value_name = "FILE")]
    pub filter_module: Option<PathBuf>,

    /// Where the module is served, in plain HTTP, for everybody: who fetches it compares the digest that its own
    /// configuration names
    #[arg(
        long,
        env = "WAKEGATE_MODULE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18002"
    )]
    pub module_listen: SocketAddr,

    /// A file to write all addresses to, as JSON, once they are bound; so that port 0 can be asked for
    #[arg(long, env = "WAKEGATE_ADDRESS_FILE", value_name = "PATH")]
    pub address_file: Option<PathBuf>,

    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(flatten)]
    pub streams: StreamArgs,

    /// Seconds that streams get to end after SIGTERM or SIGINT
    #[arg(
        long,
        env = "WAKEGATE_DRAIN_LIMIT_SECS",
        value_name = "SECS",
        default_value_t = 10
    )]
    pub drain_limit_secs: u64,

    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(flatten)]
    pub tls: TlsArgs,

    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(flatten)]
    pub log: LogArgs,
}

/// The flags that mean nothing with `--manifests`. Those that a pod's environment has in any case are
/// passed over there, the others refused.
#[derive(Clone, Debug, clap::Args)]
pub struct KubernetesArgs {
    /// A namespace to read, those of the Gateways among them; may be given again. A right to read these is enough, and
    /// one to read GatewayClasses [default: every namespace]
    #[arg(
        long,
        env = "WAKEGATE_NAMESPACE",
        value_name = "NS",
        value_delimiter = ',',
        conflicts_with = "manifests"
    )]
    pub namespace: Vec<String>,

    /// Where KEDA finds the scaler, as it is written into ScaledObjects
    #[arg(
        long,
        env = "WAKEGATE_SCALER_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "wakegate-scaler.wakegate:9090",
        conflicts_with = "manifests"
    )]
    pub scaler_address: String,

    /// How often KEDA asks the scaler, as it is written into ScaledObjects
    #[arg(
        long,
        env = "WAKEGATE_POLLING_INTERVAL_SECS",
        value_name = "SECONDS",
        default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        conflicts_with = "manifests"
    )]
    pub polling_interval_secs: u64,

    /// The TriggerAuthentication or ClusterTriggerAuthentication with KEDA's certificate, as it is written into
    /// ScaledObjects; without TLS there is none
    #[arg(
        long,
        env = "WAKEGATE_KEDA_AUTHENTICATION",
        value_name = "[KIND/]NAME",
        default_value = "ClusterTriggerAuthentication/wakegate",
        conflicts_with = "manifests"
    )]
    pub keda_authentication: KedaAuthentication,

    /// The namespace of the Lease by which one replica leads
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NS",
        default_value = "wakegate"
    )]
    pub lease_namespace: String,

    /// How this replica is called in the Lease [default: the host's name and a random number]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,

    /// Where other replicas reach this one's gRPC port, while it leads: each must have an address that the others reach
    /// [default: the address that was bound]
    #[arg(
        long,
        env = "WAKEGATE_PEER_ADDRESS",
        value_name = "HOST:PORT",
        conflicts_with = "manifests"
    )]
    pub peer_address: Option<String>,

    /// How long requests are held before an Event says why nothing becomes ready
    #[arg(
        long,
        env = "WAKEGATE_EXPLAIN_AFTER_SECS",
        value_name = "SECONDS",
        default_value_t = 15,
        conflicts_with = "manifests"
    )]
    pub explain_after_secs: u64,

    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(flatten)]
    pub authority: AuthorityArgs,
}
