//! How a Wakegate is started.

use std::time::Duration;

use anyhow::Result;

use super::WAKEGATE_NAMESPACE;
use crate::daemon::{Addresses, Security};
use crate::envoy::EnvoyTls;
use crate::tls::{Certificates, Role};

/// How a Wakegate is started.
#[derive(Debug, Clone, Copy)]
pub struct WakegateOptions<'a> {
    /// Replicas of the control plane.
    pub n_control_planes: usize,
    /// The namespaces that it sees; every one where there is none.
    pub namespaces: &'a [&'a str],
    /// How often KEDA asks; the scaler's window of activity follows it. None: as Wakegate is installed.
    pub polling_interval: Option<Duration>,
    /// Those of files, for mutual TLS. None: everything is in plain text.
    pub certificates: Option<&'a Certificates>,
}

impl Default for WakegateOptions<'_> {
    fn default() -> Self {
        Self {
            n_control_planes: 1,
            namespaces: &[],
            // Tests wait for workloads to sleep.
            polling_interval: Some(Duration::from_secs(1)),
            certificates: None,
        }
    }
}

impl WakegateOptions<'_> {
    /// How a daemon speaks.
    pub(super) fn security(&self, role: Role) -> Result<Security> {
        let Some(certificates) = self.certificates else {
            return Ok(Security::PlainText);
        };
        Ok(Security::Tls(certificates.folder(role)?.to_owned()))
    }

    /// How an Envoy speaks to them.
    pub(super) fn envoy_tls(&self) -> Result<Option<EnvoyTls>> {
        let folder = self.certificates.map(|it| it.folder(Role::Filter));
        folder.map(|it| EnvoyTls::new(it?)).transpose()
    }

    /// The flags of a control plane.
    pub(super) fn control_plane_args(&self, name: &str, scaler: Addresses) -> Vec<String> {
        let Self {
            n_control_planes: _,
            namespaces,
            polling_interval,
            certificates: _,
        } = self;
        let common = [
            format!("--scaler-address={}", scaler.grpc),
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
            .collect()
    }
}
