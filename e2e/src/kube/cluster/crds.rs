//! The CRDs of others, whose controllers are not there: each from the Go module of its project.

use std::path::PathBuf;

use anyhow::Result;

use super::kubectl::Kubectl;
use super::{objects, program};

/// CRDs of others, whose controllers are not there.
#[derive(Debug, Clone, Copy)]
pub enum Crds {
    /// cert-manager's.
    CertManager,
    /// Envoy Gateway's.
    EnvoyGateway,
    /// Istio's.
    Istio,
    /// The Prometheus operator's, of the kinds that the chart has.
    PrometheusOperator,
}

impl Crds {
    /// Files, or folders of them.
    fn paths(self) -> Result<Vec<PathBuf>> {
        let (module, paths): (_, &[&str]) = match self {
            Self::CertManager => ("CERT_MANAGER", &["deploy/crds"]),
            Self::EnvoyGateway => (
                "ENVOY_GATEWAY_MODULE",
                &["charts/gateway-helm/charts/crds/crds/generated"],
            ),
            Self::Istio => (
                "ISTIO_API",
                &["kubernetes/customresourcedefinitions.gen.yaml"],
            ),
            // Those of Prometheus itself are ten times as large.
            Self::PrometheusOperator => (
                "PROMETHEUS_OPERATOR",
                &[
                    "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
                    "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
                    "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
                ],
            ),
        };
        let module = program::folder(module)?;
        Ok(paths.iter().map(|path| module.join(path)).collect())
    }
}

pub(super) async fn apply(kubectl: &Kubectl, crds: Crds) -> Result<()> {
    for path in crds.paths()? {
        objects::apply_path(kubectl, &path).await?;
    }
    Ok(())
}
