//! The volumes of a pod as folders of this machine, kept up to date as a kubelet does, only sooner.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::{Api, PostParams};
use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapProjection, Container, KeyToPath, Pod, Secret, SecretProjection,
    ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use tokio::time;

use super::Shared;
use crate::background::Background;
use crate::tls::Mount;

/// A real kubelet takes up to two minutes.
const REFRESH: Duration = Duration::from_secs(2);

/// Where a pod finds who it is.
const ACCOUNT_PLACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const ACCOUNT: &str = "kube-api-access";

type Files = BTreeMap<String, Vec<u8>>;

/// The volumes of a pod as one container has them.
#[derive(Debug)]
pub(super) struct Volumes {
    folder: PathBuf,
    /// What all containers of the pod share.
    shared: PathBuf,
    empty: BTreeSet<String>,
    has_account: bool,
    _following: Background,
}

/// Writes the files of objects.
struct Writer {
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    folder: PathBuf,
    written: BTreeMap<String, (Mount, Files)>,
    token: Option<String>,
}

impl Volumes {
    /// Makes them all.
    ///
    /// # Errors
    /// An object that a volume names is not there (yet), or a volume is of a kind that is not played.
    pub(super) async fn new(shared: &Arc<Shared>, pod: &Arc<Pod>, container: &str) -> Result<Self> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let of_pod = shared.folder.join("volumes").join(uid);
        let folder = of_pod.join(container);
        let mut writer = Writer {
            shared: Arc::clone(shared),
            pod: Arc::clone(pod),
            folder: folder.clone(),
            written: BTreeMap::new(),
            token: None,
        };
        let spec = pod.spec.as_ref().context("a pod has a spec")?;
        let (shared, mut empty) = (of_pod.join("shared"), BTreeSet::new());
        for volume in spec.volumes.iter().flatten() {
            if volume.empty_dir.is_some() {
                let folder = shared.join(&volume.name);
                fs::create_dir_all(&folder)?;
                fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
                empty.insert(volume.name.clone());
                continue;
            }
            writer.write(&volume.name, &sources(volume)?).await?;
        }
        let has_account = writer.has_token().await?;
        if has_account {
            writer.write(ACCOUNT, &account()).await?;
        }
        Ok(Self {
            folder,
            shared,
            empty,
            has_account,
            _following: Background::start(writer.follow()),
        })
    }

    /// An empty folder, to mount a file system at.
    pub(super) fn root(&self) -> Result<PathBuf> {
        let folder = self.folder.join("..root");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// What the container has of them, and where.
    pub(super) fn mounts(&self, container: &Container) -> Vec<(PathBuf, String)> {
        let mounts = container.volume_mounts.iter().flatten().map(|mount| {
            let is_empty = self.empty.contains(&mount.name);
            let folder = if is_empty { &self.shared } else { &self.folder };
            let mut source = folder.join(&mount.name);
            if let Some(path) = &mount.sub_path {
                source = source.join(path);
            }
            (source, mount.mount_path.clone())
        });
        let account = (self.folder.join(ACCOUNT), ACCOUNT_PLACE.to_owned());
        mounts.chain(self.has_account.then_some(account)).collect()
    }
}

impl Writer {
    /// Writes what changes, for ever.
    async fn follow(mut self) {
        loop {
            time::sleep(REFRESH).await;
            let spec = self.pod.spec.clone().unwrap_or_default();
            for volume in spec.volumes.iter().flatten() {
                let Ok(sources) = sources(volume) else {
                    continue;
                };
                if let Err(error) = self.write(&volume.name, &sources).await {
                    tracing::debug!(%error, volume = volume.name, "node: a volume stays as it was");
                }
            }
        }
    }

    async fn write(&mut self, name: &str, sources: &[VolumeProjection]) -> Result<()> {
        let mut files = Files::new();
        for source in sources {
            files.extend(self.read(source).await?);
        }
        let bytes = files
            .iter()
            .map(|(name, it)| (name.as_str(), it.as_slice()));
        match self.written.get_mut(name) {
            Some((_, last)) if *last == files => return Ok(()),
            Some((mount, last)) => {
                mount.put(bytes)?;
                *last = files;
            }
            None => {
                let mount = Mount::new(&self.folder.join(name), bytes)?;
                self.written.insert(name.to_owned(), (mount, files));
            }
        }
        Ok(())
    }

    async fn read(&mut self, source: &VolumeProjection) -> Result<Files> {
        if let Some(SecretProjection { name, items, .. }) = &source.secret {
            let secret = self.api::<Secret>().get(name).await?;
            let data = secret.data.unwrap_or_default();
            let data = data.into_iter().map(|(name, bytes)| (name, bytes.0));
            return picked(data.collect(), items.as_deref());
        }
        if let Some(ConfigMapProjection { name, items, .. }) = &source.config_map {
            let map = self.api::<ConfigMap>().get(name).await?;
            let data = map.data.unwrap_or_default();
            let data = data
                .into_iter()
                .map(|(name, text)| (name, text.into_bytes()));
            return picked(data.collect(), items.as_deref());
        }
        if let Some(token) = &source.service_account_token {
            let path = token.path.clone();
            return Ok([(path, self.token(token).await?.into_bytes())].into());
        }
        if let Some(downward) = &source.downward_api {
            let namespace = self.pod.metadata.namespace.clone().unwrap_or_default();
            let items = downward.items.iter().flatten();
            let files = items.map(|item| (item.path.clone(), namespace.clone().into_bytes()));
            return Ok(files.collect());
        }
        bail!("a volume of a kind that is not played")
    }

    async fn token(&mut self, wanted: &ServiceAccountTokenProjection) -> Result<String> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let spec = self.pod.spec.as_ref().context("a pod has a spec")?;
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: wanted.audience.clone().map(|audience| vec![audience]),
                expiration_seconds: wanted.expiration_seconds.or(Some(3607)),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let accounts = self.api::<ServiceAccount>();
        let params = PostParams::default();
        let issued = accounts.create_token_request(account, &params, &request);
        let token = issued.await?.status.and_then(|status| status.token);
        let token = token.context("a request for a token brings one")?;
        self.token = Some(token.clone());
        Ok(token)
    }

    /// Whether the pod, and its account, want a token: what the API server's admission decides in a real cluster.
    async fn has_token(&self) -> Result<bool> {
        let spec = self.pod.spec.as_ref().context("a pod has a spec")?;
        if let Some(wanted) = spec.automount_service_account_token {
            return Ok(wanted);
        }
        let Some(name) = &spec.service_account_name else {
            return Ok(false);
        };
        let account = self.api::<ServiceAccount>().get(name).await?;
        Ok(account.automount_service_account_token.unwrap_or(true))
    }

    fn api<K>(&self) -> Api<K>
    where
        K: ::kube::Resource<DynamicType = (), Scope = ::kube::core::NamespaceResourceScope>,
    {
        let namespace = self.pod.metadata.namespace.as_deref().unwrap_or_default();
        Api::namespaced(self.shared.client.clone(), namespace)
    }
}

/// What a volume is made of.
fn sources(volume: &Volume) -> Result<Vec<VolumeProjection>> {
    if let Some(secret) = &volume.secret {
        let secret = SecretProjection {
            name: secret.secret_name.clone().unwrap_or_default(),
            items: secret.items.clone(),
            optional: secret.optional,
        };
        let secret = Some(secret);
        return Ok(vec![VolumeProjection {
            secret,
            ..VolumeProjection::default()
        }]);
    }
    if let Some(map) = &volume.config_map {
        let map = ConfigMapProjection {
            name: map.name.clone(),
            items: map.items.clone(),
            optional: map.optional,
        };
        let config_map = Some(map);
        return Ok(vec![VolumeProjection {
            config_map,
            ..VolumeProjection::default()
        }]);
    }
    let projected = volume.projected.as_ref().and_then(|it| it.sources.clone());
    projected.with_context(|| format!("the volume {} is of a kind that is not played", volume.name))
}

/// What is mounted by itself. Its authority is every cluster's ConfigMap, which the controller manager writes.
fn account() -> Vec<VolumeProjection> {
    let token = ServiceAccountTokenProjection {
        path: "token".to_owned(),
        ..ServiceAccountTokenProjection::default()
    };
    let authority = ConfigMapProjection {
        name: "kube-root-ca.crt".to_owned(),
        ..ConfigMapProjection::default()
    };
    let namespace = serde_json::json!({ "downwardAPI": { "items": [
        { "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } },
    ] } });
    let mut sources = vec![
        VolumeProjection {
            service_account_token: Some(token),
            ..VolumeProjection::default()
        },
        VolumeProjection {
            config_map: Some(authority),
            ..VolumeProjection::default()
        },
    ];
    sources.extend(serde_json::from_value::<VolumeProjection>(namespace));
    sources
}

/// All files, or those that are named, by the names that they shall have.
fn picked(mut files: Files, items: Option<&[KeyToPath]>) -> Result<Files> {
    let Some(items) = items else {
        return Ok(files);
    };
    let picked = items.iter().map(|item| {
        let bytes = files.remove(&item.key);
        let bytes = bytes.with_context(|| format!("the key {} is missing", item.key))?;
        Ok((item.path.clone(), bytes))
    });
    picked.collect()
}
