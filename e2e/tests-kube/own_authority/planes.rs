//! Control planes that are given no certificates, on a cluster of their own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, Error};
use serde_json::json;
use wakegate_e2e::kube::{Cluster, ClusterOptions, WAKEGATE_ACCOUNT, WAKEGATE_NAMESPACE};
use wakegate_e2e::{Addresses, Daemon, Security, eventually};

use super::SOON;
use super::watcher::{Credentials, Watcher};

pub(super) const AUTHORITY: &str = "wakegate-ca";
pub(super) const CONTROL_PLANE: &str = "wakegate-control-plane-tls";
pub(super) const SCALER: &str = "wakegate-scaler-tls";
pub(super) const FILTER: &str = "wakegate-filter-tls";
pub(super) const KEDA: &str = "wakegate-keda-tls";

/// What became of Secrets.
pub(super) const RENEWALS: &str = "wakegate_control_plane_certificate_renewals_total";
/// Whether a control plane writes.
const LEADER: &str = "wakegate_control_plane_leader";

/// Namespaces beside our own: one with Envoys, KEDA's, and one that we have no rights in.
const NAMESPACES: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: edge}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: keda}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: closed}}
";

/// A cluster, and control planes that have the rights of our manifests in it.
pub(super) struct Planes {
    cluster: Cluster,
    client: Client,
    daemons: Vec<Daemon>,
}

impl Planes {
    /// A cluster with our rights, and so many control planes that are ready.
    pub(super) async fn start(n_planes: usize, args: &[&str]) -> Result<Self> {
        Self::prepare().await?.run(n_planes, args).await
    }

    /// A cluster with our rights.
    pub(super) async fn prepare() -> Result<Self> {
        let cluster = Cluster::start(ClusterOptions {
            keda: false,
            gateway_api: false,
            http_add_on: false,
            node: false,
            wakegate: true,
        })
        .await?;
        cluster.apply(NAMESPACES).await?;
        for (namespace, folder) in [("edge", "filters"), ("keda", "keda")] {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
            let file = format!("--filename={file}/{folder}/control-plane-certifies.yaml");
            let namespace = format!("--namespace={namespace}");
            cluster.kubectl(&["apply", &namespace, &file], None).await?;
        }
        Ok(Self {
            client: cluster.client().await?,
            cluster,
            daemons: Vec::new(),
        })
    }

    /// Starts so many control planes; returns when all are ready.
    pub(super) async fn run(mut self, n_planes: usize, args: &[&str]) -> Result<Self> {
        let kubeconfig = self.kubeconfig().await?;
        for number in 0..n_planes {
            let folder = self
                .cluster
                .folder()
                .join(format!("control-plane-{number}"));
            std::fs::create_dir_all(&folder).context("make a daemon's folder")?;
            let own = [
                format!("--lease-namespace={WAKEGATE_NAMESPACE}"),
                format!("--identity=control-plane-{number}"),
                "--filter-namespace=edge".to_owned(),
            ];
            let args = args.iter().map(|arg| (*arg).to_owned());
            let args = own.into_iter().chain(args).collect();
            let environment = vec![("KUBECONFIG", OsString::from(&kubeconfig))];
            let daemon = Daemon::stopped("wakegate-control-plane", &folder, Addresses::ANY);
            let daemon = daemon.secured(Security::Unsaid);
            let mut daemon = daemon.with(args, environment);
            daemon.start_again().await?;
            self.daemons.push(daemon);
        }
        for daemon in &self.daemons {
            daemon.ready().await?;
        }
        Ok(self)
    }

    async fn kubeconfig(&self) -> Result<PathBuf> {
        let account = self
            .cluster
            .kubeconfig_for(WAKEGATE_NAMESPACE, WAKEGATE_ACCOUNT);
        account.await
    }

    /// A client with the rights of a control plane.
    pub(super) async fn account(&self) -> Result<Client> {
        let account = self
            .cluster
            .client_for(WAKEGATE_NAMESPACE, WAKEGATE_ACCOUNT);
        account.await
    }

    fn daemon(&self, number: usize) -> Result<&Daemon> {
        let daemon = self.daemons.get(number);
        daemon.with_context(|| format!("no control plane {number}"))
    }

    /// Where a control plane serves gRPC.
    pub(super) fn address(&self, number: usize) -> Result<SocketAddr> {
        Ok(self.daemon(number)?.addresses().grpc)
    }

    /// What it logged.
    pub(super) fn log(&self, number: usize) -> Result<String> {
        Ok(self.daemon(number)?.log())
    }

    /// A stream of a filter, by the newest certificate.
    pub(super) async fn watch(&self, number: usize) -> Result<Watcher> {
        let filter = self.credentials("edge", FILTER).await?;
        Watcher::open(self.address(number)?, &filter).await
    }

    /// The sum of a metric over all control planes that run.
    pub(super) async fn counted(&self, metric: &str) -> Result<f64> {
        let mut sum = 0.0;
        for daemon in self.daemons.iter().filter(|daemon| daemon.is_running()) {
            sum += daemon.samples().await?.sum(metric);
        }
        Ok(sum)
    }

    /// The number of the one that leads.
    pub(super) async fn leader(&self) -> Result<usize> {
        let look = async || {
            for (number, daemon) in self.daemons.iter().enumerate() {
                if daemon.samples().await.ok()?.sum(LEADER) > 0.0 {
                    return Some(number);
                }
            }
            None
        };
        eventually(SOON, "someone leads", look).await
    }

    /// Ends one as a crash would; its Lease need not run out.
    pub(super) async fn kill(&mut self, number: usize) -> Result<()> {
        let daemon = self.daemons.get_mut(number).context("it is there")?;
        daemon.kill()?;
        let namespace = format!("--namespace={WAKEGATE_NAMESPACE}");
        let lease = ["delete", "lease", "wakegate-control-plane", &namespace];
        self.cluster.kubectl(&lease, None).await.map(drop)
    }

    fn api(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A Secret, as soon as it is there.
    pub(super) async fn secret(&self, namespace: &str, name: &str) -> Result<Secret> {
        let api = self.api(namespace);
        let look = async || api.get(name).await.ok();
        eventually(SOON, &format!("{namespace}/{name} is there"), look).await
    }

    /// One text of a Secret.
    pub(super) async fn text(&self, namespace: &str, name: &str, key: &str) -> Result<String> {
        let secret = self.secret(namespace, name).await?;
        let ByteString(bytes) = secret
            .data
            .as_ref()
            .and_then(|data| data.get(key))
            .with_context(|| format!("{namespace}/{name} has no {key}"))?;
        String::from_utf8(bytes.clone()).context("it is a text")
    }

    /// The certificate of the authority that signs.
    pub(super) async fn authority(&self) -> Result<String> {
        self.text(WAKEGATE_NAMESPACE, AUTHORITY, "tls.crt").await
    }

    /// Whether a Secret of our namespace has such a text.
    pub(super) async fn has(&self, name: &str, key: &str) -> Result<bool> {
        let secret = self.secret(WAKEGATE_NAMESPACE, name).await?;
        Ok(secret.data.is_some_and(|data| data.contains_key(key)))
    }

    /// What is in a Secret of a certificate.
    pub(super) async fn credentials(&self, namespace: &str, name: &str) -> Result<Credentials> {
        // At once: between two reads it may be renewed.
        let secret = self.secret(namespace, name).await?;
        let data = secret.data.context("it has data")?;
        let text = |key: &str| {
            let ByteString(bytes) = data.get(key).with_context(|| format!("no {key}"))?;
            anyhow::Ok(bytes.clone())
        };
        Ok(Credentials {
            certificate: text("tls.crt")?,
            key: text("tls.key")?,
            authorities: text("ca.crt")?,
        })
    }

    /// Changes one text, as somebody at a shell does.
    pub(super) async fn set(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
        text: &str,
    ) -> Result<()> {
        let patch = Patch::Merge(json!({"stringData": {key: text}}));
        let patched = self
            .api(namespace)
            .patch(name, &PatchParams::default(), &patch)
            .await;
        patched.map(drop).context("change a Secret")
    }

    /// Deletes one.
    pub(super) async fn delete(&self, namespace: &str, name: &str) -> Result<()> {
        let deleted = self
            .api(namespace)
            .delete(name, &DeleteParams::default())
            .await;
        deleted.map(drop).context("delete a Secret")
    }

    /// A Secret that is not ours, under a name of ours.
    pub(super) async fn put_foreign(&self, namespace: &str, name: &str) -> Result<Secret> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"tls.crt": "of others"},
        });
        self.cluster.apply(&secret.to_string()).await?;
        self.secret(namespace, name).await
    }

    /// What a replica does that believes to make the first authority while there is one.
    pub(super) async fn apply_as_another(&self, secret: &Secret) -> Result<Secret> {
        let mut secret = secret.clone();
        secret.metadata.managed_fields = None;
        secret.metadata.resource_version = None;
        let other = ByteString(b"another".to_vec());
        secret
            .data
            .get_or_insert_default()
            .insert("tls.crt".to_owned(), other);
        let params = PatchParams::apply("wakegate/another");
        let patch = Patch::Apply(&secret);
        let api = self.api(WAKEGATE_NAMESPACE);
        api.patch(AUTHORITY, &params, &patch)
            .await
            .context("apply as another")
    }

    /// The end of a test that has passed.
    pub(super) async fn finish(mut self) -> Result<()> {
        for daemon in self.daemons.iter_mut().filter(|daemon| daemon.is_running()) {
            daemon.is_well()?;
            daemon.terminate().await?;
        }
        self.cluster.finish()
    }
}

/// Whether an account may not read a Secret, there or not.
pub(super) async fn is_refused(account: &Client, namespace: &str, name: &str) -> Result<bool> {
    let api: Api<Secret> = Api::namespaced(account.clone(), namespace);
    match api.get_opt(name).await {
        Ok(_) => Ok(false),
        Err(Error::Api(status)) if status.code == 403 => Ok(true),
        Err(error) => Err(error).context("read a Secret"),
    }
}
