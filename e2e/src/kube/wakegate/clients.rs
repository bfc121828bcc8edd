//! What the scaler and Envoys show, and where it comes from.

use anyhow::Result;

use super::options::Certified;
use super::secrets::Mounts;
use crate::daemon::Security;
use crate::envoy::EnvoyTls;
use crate::kube::cluster::Cluster;
use crate::tls::Role;

/// How scaler and Envoys speak.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) scaler: Security,
    pub(super) envoy: Option<EnvoyTls>,
    /// Kept for as long as they run.
    _mounts: Option<Mounts>,
}

impl Clients {
    /// Waits for what the control plane signs, where it does.
    pub(super) async fn of(cluster: &Cluster, certified: Certified<'_>) -> Result<Self> {
        match certified {
            Certified::PlainText => Ok(Self {
                scaler: Security::PlainText,
                envoy: None,
                _mounts: None,
            }),
            Certified::Files(files) => Ok(Self {
                scaler: Security::Tls(files.folder(Role::Scaler)?.to_owned()),
                envoy: Some(EnvoyTls::new(files.folder(Role::Filter)?)?),
                _mounts: None,
            }),
            Certified::ByWakegate => {
                let mounts = Mounts::follow(cluster).await?;
                Ok(Self {
                    scaler: Security::Tls(mounts.folder(Role::Scaler)),
                    envoy: Some(EnvoyTls::new(&mounts.folder(Role::Filter))?),
                    _mounts: Some(mounts),
                })
            }
        }
    }

    /// With which the scaler names the control plane.
    pub(super) fn scheme(&self) -> &'static str {
        self.envoy.as_ref().map_or("http", |_| "https")
    }
}
