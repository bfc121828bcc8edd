//! How a Wakegate is started.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::WAKEGATE_NAMESPACE;
use crate::daemon::Security;
use crate::tls::{Certificates, Role};

/// How a Wakegate is started.
#[derive(Debug, Clone, Copy)]
pub struct WakegateOptions<'a> {
    /// Replicas of the control plane.
    pub n_control_planes: usize,
    /// Replicas of the scaler, which know each other.
    pub n_scalers: usize,
    /// Whether each control plane can be cut off from the API server, see `Wakegate::way_to_api_server`.
    pub is_relayed: bool,
    /// The namespaces that it sees; every one where there is none.
    pub namespaces: &'a [&'a str],
    /// How often KEDA asks; the scaler's window of activity follows it. None: as Wakegate is installed.
    pub polling_interval: Option<Duration>,
    /// Who makes the certificates.
    pub certified: Certified<'a>,
    /// More flags of both daemons.
    pub flags: &'a [&'a str],
    /// More flags of the control planes.
    pub control_plane_flags: &'a [&'a str],
}

/// Who makes the certificates of mutual TLS.
#[derive(Debug, Clone, Copy)]
pub enum Certified<'a> {
    /// Nobody: everything is in plain text.
    PlainText,
    /// The test.
    Files(&'a Certificates),
    /// The control plane itself.
    ByWakegate,
}

impl Default for WakegateOptions<'_> {
    fn default() -> Self {
        Self {
            n_control_planes: 1,
            n_scalers: 1,
            is_relayed: false,
            namespaces: &[],
            // Tests wait for workloads to sleep.
            polling_interval: Some(Duration::from_secs(1)),
            certified: Certified::ByWakegate,
            flags: &[],
            control_plane_flags: &[],
        }
    }
}

impl WakegateOptions<'_> {
    /// The flags of a control plane.
    pub(super) fn control_plane_args(&self, name: &str, scaler: SocketAddr) -> Vec<String> {
        let Self {
            n_control_planes: _,
            n_scalers: _,
            is_relayed: _,
            namespaces,
            polling_interval,
            certified: _,
            flags,
            control_plane_flags,
        } = self;
        let common = [
            format!("--scaler-address={scaler}"),
            "--explain-after-secs=3".to_owned(),
            format!("--lease-namespace={WAKEGATE_NAMESPACE}"),
            format!("--identity={name}"),
        ];
        let namespaces = namespaces.iter();
        let namespaces = namespaces.map(|namespace| format!("--namespace={namespace}"));
        let interval = polling_interval.iter();
        let interval = interval.map(|it| format!("--polling-interval-secs={}", it.as_secs()));
        common
            .into_iter()
            .chain(namespaces)
            .chain(interval)
            .chain(
                [*flags, *control_plane_flags]
                    .concat()
                    .iter()
                    .map(|flag| (*flag).to_owned()),
            )
            .collect()
    }
}

impl Certified<'_> {
    /// How a control plane speaks.
    pub(super) fn control_plane(self) -> Result<Security> {
        match self {
            Self::PlainText => Ok(Security::PlainText),
            Self::Files(files) => Ok(Security::Tls(files.folder(Role::ControlPlane)?.to_owned())),
            Self::ByWakegate => Ok(Security::Unsaid),
        }
    }
}
