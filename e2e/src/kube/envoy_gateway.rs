//! The real Envoy Gateway on a cluster, by its own chart.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cluster::Cluster;
use super::helm::Helm;

/// Where its chart puts it, and where the Envoys of all Gateways run.
pub const ENVOY_GATEWAY_NAMESPACE: &str = "envoy-gateway-system";

/// What a release fills into its values.
const FILLED: [(&str, &str); 2] = [
    ("${GatewayImage}", "docker.io/envoyproxy/gateway:v1.9.1"),
    ("${GatewayImagePullPolicy}", "IfNotPresent"),
];

/// Its chart with the values of a release, in the cluster's folder.
pub fn envoy_gateway_chart(cluster: &Cluster) -> Result<PathBuf> {
    let module = env::var_os("ENVOY_GATEWAY_MODULE").map(PathBuf::from);
    let module = module
        .context("ENVOY_GATEWAY_MODULE is not set: run these tests with `./justw e2e-kube`")?;
    let chart = cluster.folder().join("gateway-helm");
    copy(&module.join("charts/gateway-helm"), &chart)?;
    let mut values = fs::read_to_string(chart.join("values.tmpl.yaml"))?;
    for (name, value) in FILLED {
        values = values.replace(name, value);
    }
    fs::write(chart.join("values.yaml"), values)?;
    Ok(chart)
}

/// Installs it with its CRDs and those of the Gateway API; returns when it is ready. Its injector of zones, which needs a
/// webhook and Nodes in zones, is left out.
pub async fn install_envoy_gateway(cluster: &Cluster, helm: &Helm) -> Result<()> {
    let chart = envoy_gateway_chart(cluster)?;
    let args = [
        "install",
        "eg",
        &chart.to_string_lossy(),
        "--namespace",
        ENVOY_GATEWAY_NAMESPACE,
        "--create-namespace",
        "--set=topologyInjector.enabled=false",
        "--set=config.envoyGateway.extensionApis.enableEnvoyPatchPolicy=true",
        "--wait",
        "--timeout=3m",
    ];
    helm.run(&args).await.map(drop)
}

/// Go's module cache is read-only.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs::write(place, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
