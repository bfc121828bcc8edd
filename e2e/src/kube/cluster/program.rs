//! The programs of a cluster, and with which flags and environment each is started.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::authority::FRONT_PROXY;
use super::layout::{ADVERTISED, Layout};
use super::objects::KEDA_NAMESPACE;

/// One of the programs that a cluster consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The database.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager: `ReplicaSets`, `EndpointSlices`, the HPA, garbage collection.
    ControllerManager,
    /// KEDA's operator: watches `ScaledObjects`, asks scalers, scales to and from zero.
    KedaOperator,
    /// KEDA's metrics adapter: serves the external metrics API to the HPA.
    KedaAdapter,
    /// KEDA's admission webhooks.
    KedaWebhooks,
}

impl Program {
    /// All, in the order in which they can start.
    pub const ALL: [Self; 6] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::KedaOperator,
        Self::KedaAdapter,
        Self::KedaWebhooks,
    ];

    /// The file's name; its log is called after it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::KedaOperator => "keda-operator",
            Self::KedaAdapter => "keda-adapter",
            Self::KedaWebhooks => "keda-webhooks",
        }
    }

    /// Where it is.
    pub(super) fn path(self) -> Result<PathBuf> {
        let variable = match self {
            Self::Etcd | Self::ApiServer | Self::ControllerManager => KUBERNETES,
            Self::KedaOperator | Self::KedaAdapter | Self::KedaWebhooks => KEDA,
        };
        in_folder(variable, self.name())
    }

    /// The program with its arguments.
    pub(super) fn command(self, layout: &Layout) -> Result<Vec<OsString>> {
        let mut command = Vec::new();
        // It calls scalers by the names of Services, which a pod would ask DNS for.
        if self == Self::KedaOperator {
            command
                .extend(["/usr/bin/unshare", "--mount", "--propagation=private"].map(Into::into));
            command.extend(["sh", "-euc", WITH_HOSTS, "sh"].map(Into::into));
            command.push(layout.hosts().into());
        }
        command.push(self.path()?.into());
        command.extend(self.args(layout).into_iter().map(Into::into));
        Ok(command)
    }

    fn args(self, layout: &Layout) -> Vec<String> {
        match self {
            Self::Etcd => etcd(layout),
            Self::ApiServer => api_server(layout),
            Self::ControllerManager => controller_manager(layout),
            Self::KedaOperator => keda_operator(layout),
            Self::KedaAdapter => keda_adapter(layout),
            Self::KedaWebhooks => keda_webhooks(layout),
        }
    }

    pub(super) fn environment(self, layout: &Layout) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Etcd | Self::ApiServer | Self::ControllerManager => Vec::new(),
            Self::KedaOperator | Self::KedaAdapter | Self::KedaWebhooks => vec![
                ("KUBECONFIG", layout.kubeconfig(self.name()).into()),
                // All namespaces; it must be set all the same.
                ("WATCH_NAMESPACE", OsString::new()),
                ("POD_NAMESPACE", KEDA_NAMESPACE.into()),
                ("KEDA_CLUSTER_OBJECT_NAMESPACE", KEDA_NAMESPACE.into()),
            ],
        }
    }
}

/// Runs a program that has another file of hosts.
const WITH_HOSTS: &str = r#"mount --bind "$1" /etc/hosts; shift; exec "$@""#;

/// Names the folder with etcd, kube-apiserver, kube-controller-manager and kubectl.
const KUBERNETES: &str = "KUBEBUILDER_ASSETS";
/// Names the folder with KEDA's three programs.
const KEDA: &str = "KEDA_BIN_DIR";

/// Where kubectl is.
pub(crate) fn kubectl() -> Result<PathBuf> {
    in_folder(KUBERNETES, "kubectl")
}

/// The folder with KEDA's CRDs and webhooks.
pub(super) fn keda_manifests() -> Result<PathBuf> {
    folder("KEDA_MANIFESTS")
}

/// The folder with the Gateway API's CRDs.
pub(super) fn gateway_api_crds() -> Result<PathBuf> {
    folder("GATEWAY_API_CRDS")
}

/// The folder that an environment variable names.
pub(super) fn folder(variable: &str) -> Result<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run these tests with `./justw e2e-kube`"))
}

fn in_folder(variable: &str, name: &str) -> Result<PathBuf> {
    let path = folder(variable)?.join(name);
    ensure!(
        path.is_file(),
        "{} is not there: see {variable}",
        path.display()
    );
    Ok(path)
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn etcd(layout: &Layout) -> Vec<String> {
    let clients = format!("http://127.0.0.1:{}", layout.ports.etcd);
    let peers = format!("http://127.0.0.1:{}", layout.ports.etcd_peers);
    vec![
        flag("data-dir", &layout.folder.join("etcd")),
        // The data need not outlive the machine.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ]
}

fn api_server(layout: &Layout) -> Vec<String> {
    let certificate = |name: &str, file: &str| flag(name, &layout.certificate(file));
    vec![
        format!("--etcd-servers=http://127.0.0.1:{}", layout.ports.etcd),
        format!("--secure-port={}", layout.ports.api_server),
        "--bind-address=0.0.0.0".to_owned(),
        format!("--advertise-address={ADVERTISED}"),
        certificate("tls-cert-file", "tls.crt"),
        certificate("tls-private-key-file", "tls.key"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        certificate("service-account-key-file", "accounts.pub"),
        certificate("service-account-signing-key-file", "accounts.key"),
        flag("token-auth-file", &layout.tokens()),
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-cluster-ip-range={}", layout.service_range()),
        // It would mount a token into each pod, which our node has no use for.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        // Nobody comes with a certificate of it, but the other programs wait for it to be published.
        certificate("client-ca-file", "ca.crt"),
        certificate("requestheader-client-ca-file", "ca.crt"),
        format!("--requestheader-allowed-names={FRONT_PROXY}"),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        certificate("proxy-client-cert-file", "tls.crt"),
        certificate("proxy-client-key-file", "tls.key"),
    ]
}

fn controller_manager(layout: &Layout) -> Vec<String> {
    let kubeconfig = layout.kubeconfig(Program::ControllerManager.name());
    vec![
        flag("kubeconfig", &kubeconfig),
        flag("authentication-kubeconfig", &kubeconfig),
        flag("authorization-kubeconfig", &kubeconfig),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", layout.ports.controller_manager),
        flag("tls-cert-file", &layout.certificate("tls.crt")),
        flag("tls-private-key-file", &layout.certificate("tls.key")),
        "--leader-elect=false".to_owned(),
        flag("root-ca-file", &layout.certificate("ca.crt")),
        flag(
            "service-account-private-key-file",
            &layout.certificate("accounts.key"),
        ),
        // Tests wait for the HPA to scale up and down: 15 s and 5 min by default.
        "--horizontal-pod-autoscaler-sync-period=3s".to_owned(),
        "--horizontal-pod-autoscaler-downscale-stabilization=5s".to_owned(),
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
    ]
}

fn keda_operator(layout: &Layout) -> Vec<String> {
    let ports = &layout.ports;
    vec![
        flag("cert-dir", &layout.certificates()),
        format!(
            "--metrics-bind-address=127.0.0.1:{}",
            ports.operator_metrics
        ),
        format!(
            "--health-probe-bind-address=127.0.0.1:{}",
            ports.operator_probe
        ),
        format!(
            "--metrics-service-bind-address=127.0.0.1:{}",
            ports.operator_grpc
        ),
        // Webhooks and APIService have what they need from us.
        "--enable-webhook-patching=false".to_owned(),
        "--enable-apiservice-patching=false".to_owned(),
        // As docs/operations.md advises: at the defaults a restart takes 0.2 s per ScaledObject.
        "--kube-api-qps=100".to_owned(),
        "--kube-api-burst=200".to_owned(),
        "--zap-encoder=console".to_owned(),
        "--zap-time-encoding=rfc3339nano".to_owned(),
    ]
}

fn keda_adapter(layout: &Layout) -> Vec<String> {
    let ports = &layout.ports;
    let kubeconfig = layout.kubeconfig(Program::KedaAdapter.name());
    vec![
        flag("kubeconfig", &kubeconfig),
        flag("lister-kubeconfig", &kubeconfig),
        flag("authentication-kubeconfig", &kubeconfig),
        flag("authorization-kubeconfig", &kubeconfig),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.adapter),
        flag("cert-dir", &layout.certificates()),
        flag("tls-cert-file", &layout.certificate("tls.crt")),
        flag("tls-private-key-file", &layout.certificate("tls.key")),
        flag("client-ca-file", &layout.certificate("ca.crt")),
        format!(
            "--metrics-service-address=localhost:{}",
            ports.operator_grpc
        ),
        format!("--port={}", ports.adapter_metrics),
    ]
}

fn keda_webhooks(layout: &Layout) -> Vec<String> {
    let ports = &layout.ports;
    vec![
        flag("cert-dir", &layout.certificates()),
        format!("--port={}", ports.webhooks),
        format!(
            "--metrics-bind-address=127.0.0.1:{}",
            ports.webhooks_metrics
        ),
        format!(
            "--health-probe-bind-address=127.0.0.1:{}",
            ports.webhooks_probe
        ),
        "--zap-encoder=console".to_owned(),
        "--zap-time-encoding=rfc3339nano".to_owned(),
    ]
}
