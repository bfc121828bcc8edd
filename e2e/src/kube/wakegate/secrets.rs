//! Secrets in folders, as kubelet mounts them into pods: those that the control plane's own authority writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::kube::Api;
use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use tokio::time;

use super::WAKEGATE_NAMESPACE;
use crate::background::Background;
use crate::kube::cluster::{Cluster, client_of};
use crate::tls::{Mount, Role};

/// Until the authority has signed what both need.
const WRITTEN: Duration = Duration::from_secs(30);
/// Between two looks. Kubelet takes a minute, which nothing waits for here.
const PAUSE: Duration = Duration::from_millis(250);

/// Who has a Secret mounted.
const HOLDERS: [Role; 2] = [Role::Scaler, Role::Filter];

/// The folders of the scaler and of Envoys; they are followed as long as this is kept.
#[derive(Debug)]
pub(super) struct Mounts {
    folder: PathBuf,
    _follower: Background,
}

#[derive(Debug)]
struct Mounted {
    name: String,
    files: BTreeMap<String, ByteString>,
    mount: Mount,
}

impl Mounts {
    /// Waits until both Secrets are there.
    pub(super) async fn follow(cluster: &Cluster) -> Result<Self> {
        let (kubeconfig, folder) = (cluster.kubeconfig(), cluster.folder().join("tls"));
        let mounts = folder.clone();
        let start = async move {
            let client = client_of(&kubeconfig).await?;
            let secrets: Api<Secret> = Api::namespaced(client, WAKEGATE_NAMESPACE);
            let mut mounted = Vec::new();
            for role in HOLDERS {
                mounted.push(Mounted::first(&secrets, role, &mounts).await?);
            }
            Ok(Background::start(follow(secrets, mounted)))
        };
        Ok(Self {
            folder,
            _follower: cluster.at_home(start).await?,
        })
    }

    /// Where a holder finds its own.
    pub(super) fn folder(&self, role: Role) -> PathBuf {
        self.folder.join(role.name())
    }
}

impl Mounted {
    async fn first(secrets: &Api<Secret>, role: Role, folder: &Path) -> Result<Self> {
        let name = format!("wakegate-{}-tls", role.name());
        let written = async {
            loop {
                if let Some(files) = read(secrets, &name).await {
                    return files;
                }
                time::sleep(PAUSE).await;
            }
        };
        let files = time::timeout(WRITTEN, written).await;
        let files = files.with_context(|| format!("no Secret {name} within {WRITTEN:?}"))?;
        let mount = Mount::new(&folder.join(role.name()), texts(&files))?;
        Ok(Self { name, files, mount })
    }
}

async fn follow(secrets: Api<Secret>, mut all: Vec<Mounted>) {
    loop {
        for mounted in &mut all {
            // The API server may be away.
            let Some(files) = read(&secrets, &mounted.name).await else {
                continue;
            };
            if files == mounted.files {
                continue;
            }
            match mounted.mount.put(texts(&files)) {
                Ok(()) => mounted.files = files,
                Err(error) => tracing::warn!(name = mounted.name, %error, "not mounted"),
            }
        }
        time::sleep(PAUSE).await;
    }
}

async fn read(secrets: &Api<Secret>, name: &str) -> Option<BTreeMap<String, ByteString>> {
    secrets.get(name).await.ok()?.data
}

fn texts(files: &BTreeMap<String, ByteString>) -> impl Iterator<Item = (&str, &[u8])> {
    let files = files.iter();
    files.map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()))
}
