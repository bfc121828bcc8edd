//! Control plane and scaler with a table of any size, read from manifests.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use wakegate_e2e::{Daemon, Manifests, eventually};

/// To read and to digest some hundred thousand objects.
const READ_LIMIT: Duration = Duration::from_mins(2);

/// The two daemons.
#[derive(Debug)]
pub(crate) struct Apps {
    control_plane: Daemon,
    scaler: Daemon,
}

/// The names of so many apps.
pub(crate) fn names(n: usize) -> Vec<String> {
    (0..n).map(|index| format!("app-{index}")).collect()
}

/// The host of an app's route.
pub(crate) fn host(name: &str) -> String {
    format!("{name}.test")
}

impl Apps {
    /// Starts both, with a Service, an endpoint and a route for each name; returns when they are ready.
    pub(crate) async fn start(
        folder: &Path,
        names: &[String],
        backend: SocketAddr,
    ) -> Result<Self> {
        let manifests = Manifests::in_folder(&folder.join("manifests"))?;
        let texts = names.iter().map(|name| objects(name, backend));
        manifests.write("apps.yaml", texts.collect::<Result<String>>()?)?;
        let args = vec![format!("--manifests={}", manifests.folder().display())];
        let control_plane = Daemon::start("wakegate-control-plane", folder, args).await?;
        let uri = format!("http://{}", control_plane.addresses().grpc);
        let args = vec![format!("--control-plane={uri}")];
        let scaler = Daemon::start("wakegate-scaler", folder, args).await?;
        for daemon in [&control_plane, &scaler] {
            eventually(READ_LIMIT, "a daemon is ready", async || {
                let answer = daemon.ask("/ready").await.ok()?;
                (answer.status == 200).then_some(())
            })
            .await?;
        }
        Ok(Self {
            control_plane,
            scaler,
        })
    }

    /// gRPC of control plane and scaler.
    pub(crate) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let Self {
            control_plane,
            scaler,
        } = self;
        (control_plane.addresses().grpc, scaler.addresses().grpc)
    }
}

/// The documents of one app that is up.
fn objects(name: &str, backend: SocketAddr) -> Result<String> {
    let documents = [
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": "bench", "name": name },
            "spec": { "ports": [ { "name": "http", "port": 80 } ] } }),
        json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "namespace": "bench", "name": format!("{name}-1"),
                "labels": { "kubernetes.io/service-name": name } },
            "addressType": "IPv4",
            "ports": [ { "name": "http", "port": backend.port(), "protocol": "TCP" } ],
            "endpoints": [ { "addresses": [backend.ip()], "conditions": { "ready": true } } ] }),
        json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "namespace": "bench", "name": name,
                "annotations": { "wakegate.dev/scale-to-zero": "true" } },
            "spec": { "hostnames": [host(name)],
                "rules": [ { "backendRefs": [ { "name": name, "port": 80 } ] } ] } }),
    ];
    let mut text = String::new();
    for document in documents {
        writeln!(text, "---\n{document}").context("write into a string")?;
    }
    Ok(text)
}
