//! Somebody's own control plane of Envoy: go-control-plane, which serves what a test puts into a folder on one
//! aggregated stream.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::eventually::eventually;
use crate::process::{Process, free_address};
use crate::programs;

const START_LIMIT: Duration = Duration::from_secs(20);
/// The name of its cluster in Envoy; Istio's proxies have the same.
const CLUSTER: &str = "xds-grpc";

/// An xDS server for one Envoy.
#[derive(Debug)]
pub struct XdsServer {
    folder: PathBuf,
    node: String,
    address: SocketAddr,
    process: Process,
}

impl XdsServer {
    /// Starts it for the Envoy with the id `node`; its resources are in a folder of `folder`.
    pub async fn start(folder: &Path, node: &str) -> Result<Self> {
        let resources = folder.join("xds");
        fs::create_dir(&resources)?;
        let address = free_address()?;
        let args = [
            "--listen".to_owned(),
            address.to_string(),
            "--folder".to_owned(),
            resources.display().to_string(),
            "--node".to_owned(),
            node.to_owned(),
        ];
        let process = Process::start(&programs::xds()?, args, &folder.join("xds.log"))?;
        eventually(START_LIMIT, "the xDS server listens", async || {
            TcpStream::connect(address).await.ok()
        })
        .await
        .context(process.tail(5))?;
        Ok(Self {
            folder: resources,
            node: node.to_owned(),
            address,
            process,
        })
    }

    /// Serves these resources from now on, in place of those that were put by the same name.
    pub fn put(&self, name: &str, resources: &[Value]) -> Result<()> {
        let partial = self.folder.join(format!("{name}.partial"));
        fs::write(&partial, json!({ "resources": resources }).to_string())?;
        let file = self.folder.join(format!("{name}.json"));
        fs::rename(partial, file).context("put resources")
    }

    /// What an Envoy needs to know at its start to have everything else by `api_type`: `GRPC` or `DELTA_GRPC`.
    pub fn bootstrap(&self, admin: SocketAddr, api_type: &str) -> Value {
        let cluster = json!({
            "name": CLUSTER,
            "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} } } },
            "load_assignment": { "cluster_name": CLUSTER, "endpoints": [ { "lb_endpoints": [
                { "endpoint": { "address": Self::socket(self.address) } } ] } ] },
        });
        json!({
            "node": { "id": self.node, "cluster": "gateway" },
            "admin": { "address": Self::socket(admin) },
            "dynamic_resources": {
                "ads_config": { "api_type": api_type, "transport_api_version": "V3",
                    "grpc_services": [ { "envoy_grpc": { "cluster_name": CLUSTER } } ] },
                "lds_config": Self::source(),
                "cds_config": Self::source(),
            },
            "static_resources": { "clusters": [cluster] },
        })
    }

    /// A `ConfigSource`: the same stream.
    pub fn source() -> Value {
        json!({ "ads": {}, "resource_api_version": "V3" })
    }

    /// An `Address` of Envoy.
    pub fn socket(address: SocketAddr) -> Value {
        json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        self.process.tail(10)
    }
}
