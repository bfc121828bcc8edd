//! An Envoy as the bench wants it: one worker, no access log, filters as told, one static backend.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::resources;
use wakegate_e2e::{Process, Samples, eventually, free_address, samples};

/// Compiling a filter on a busy machine, and 10,000 virtual hosts.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Pins a program to cores; part of util-linux.
const TASKSET: &str = "/usr/bin/taskset";
const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// What stands before the router.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// A wasm module.
    Wasm {
        module: PathBuf,
        configuration: String,
    },
    /// Envoy's own: delays every request at its headers.
    Delay,
    /// Envoy's own: takes a request's body in whole before anything answers.
    Buffer,
}

/// What an Envoy shall be like.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) filters: Vec<Filter>,
    pub(crate) hosts: Vec<String>,
    /// Where all hosts go; None answers by itself.
    pub(crate) backend: Option<SocketAddr>,
    /// Wakegate's two servers.
    pub(crate) control_plane: SocketAddr,
    pub(crate) scaler: SocketAddr,
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct Proxy {
    process: Process,
    admin: SocketAddr,
    address: SocketAddr,
}

impl Proxy {
    /// Starts it on `core`, its files in `folder`.
    pub(crate) async fn start(
        envoy: &Path,
        plan: &Plan,
        folder: &Path,
        core: usize,
    ) -> Result<Self> {
        let address = free_address()?;
        let config = folder.join(format!("{}.json", plan.name));
        fs::write(&config, plan.bootstrap(address).to_string()).context("write a bootstrap")?;
        let admin_file = folder.join(format!("{}.admin", plan.name));
        if admin_file.exists() {
            fs::remove_file(&admin_file).context("remove the last address file")?;
        }
        let args = [
            "--config-path",
            &config.to_string_lossy(),
            "--admin-address-path",
            &admin_file.to_string_lossy(),
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "--log-level",
            "warn",
        ]
        .map(str::to_owned);
        let log = folder.join(format!("{}.log", plan.name));
        let mut process = start_on(core, envoy, args.to_vec(), &log)?;
        let admin = process.address(&admin_file, START_LIMIT).await?;
        let admin: SocketAddr = admin.trim().parse().context("read Envoy's admin address")?;
        eventually(START_LIMIT, "Envoy is ready", async || {
            let request = get("http://localhost/ready").ok()?;
            let answer = fetch(Version::H1, admin, request).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await?;
        Ok(Self {
            process,
            admin,
            address,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn samples(&self) -> Result<Samples> {
        samples(self.admin, "/stats/prometheus").await
    }

    /// How many requests of its clients are under way.
    pub(crate) async fn n_active(&self) -> Result<f64> {
        let samples = self.samples().await?;
        // The admin endpoint counts the request that asks, under a prefix of its own.
        let name = r#"envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="http"}"#;
        Ok(samples.sum(name))
    }

    /// Waits until the one worker has a table with the filter in it.
    pub(crate) async fn has_table(&self) -> Result<()> {
        eventually(START_LIMIT, "the worker has a table", async || {
            let samples = self.samples().await.ok()?;
            // Envoy's main thread has a filter VM of its own, which is not the one that is measured.
            let is_connected = samples.sum("wakegate_control_plane_connected") >= 2.0;
            (is_connected && samples.sum("wakegate_table_version") > 0.0).then_some(())
        })
        .await
    }

    /// What it has used of the processor so far, in user and in system mode.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        resources::cpu_time(self.process.pid())
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        resources::resident_bytes(self.process.pid())
    }

    /// The part of it that is the memory of its wasm VMs.
    pub(crate) fn wasm_bytes(&self) -> Result<f64> {
        resources::wasm_bytes(self.process.pid())
    }
}

/// Starts a program on one core where that can be done, else anywhere.
pub(crate) fn start_on(
    core: usize,
    program: &Path,
    mut args: Vec<String>,
    log: &Path,
) -> Result<Process> {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    if n_cores < 2 || !Path::new(TASKSET).exists() {
        return Process::start(program, args, log);
    }
    let pinned = [
        "--cpu-list".to_owned(),
        core.to_string(),
        program.display().to_string(),
    ];
    args.splice(0..0, pinned);
    Process::start(Path::new(TASKSET), args, log)
}

impl Plan {
    fn bootstrap(&self, address: SocketAddr) -> Value {
        let hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|host| self.virtual_host(host))
            .collect();
        let mut filters: Vec<_> = self.filters.iter().map(Filter::config).collect();
        filters.push(json!({ "name": "router", "typed_config": {
            "@type": format!("{TYPES}.filters.http.router.v3.Router") } }));
        let manager = json!({
            "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "http",
            "http2_protocol_options": { "max_concurrent_streams": 20_000 },
            "http_filters": filters,
            "route_config": { "name": "apps", "virtual_hosts": hosts },
        });
        let mut clusters = vec![
            cluster("wakegate-control-plane", self.control_plane, true),
            cluster("wakegate-scaler", self.scaler, true),
        ];
        clusters.extend(self.backend.map(|backend| cluster("app", backend, false)));
        json!({
            "node": { "id": self.name, "cluster": "bench" },
            "admin": { "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))) },
            "static_resources": { "clusters": clusters, "listeners": [ {
                "name": "http",
                "address": socket(address),
                "filter_chains": [ { "filters": [ { "name": "http", "typed_config": manager } ] } ],
            } ] },
        })
    }

    fn virtual_host(&self, host: &str) -> Value {
        let mut route = json!({ "match": { "prefix": "/" } });
        let (field, value) = match self.backend {
            Some(_) => ("route", json!({ "cluster": "app" })),
            None => (
                "direct_response",
                json!({ "status": 200, "body": { "inline_string": "ok\n" } }),
            ),
        };
        if let Some(fields) = route.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
        json!({ "name": host, "domains": [host], "routes": [route] })
    }
}

impl Filter {
    fn config(&self) -> Value {
        match self {
            Self::Wasm {
                module,
                configuration,
            } => json!({ "name": "wasm", "typed_config": {
                "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
                "config": {
                    "name": "wakegate",
                    "root_id": "wakegate",
                    "failure_policy": "FAIL_RELOAD",
                    "configuration": {
                        "@type": "type.googleapis.com/google.protobuf.StringValue",
                        "value": configuration,
                    },
                    "vm_config": {
                        "vm_id": "wakegate",
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": { "local": { "filename": module } },
                    },
                },
            } }),
            Self::Buffer => json!({ "name": "buffer", "typed_config": {
                "@type": format!("{TYPES}.filters.http.buffer.v3.Buffer"),
                "max_request_bytes": 1 << 20,
            } }),
            Self::Delay => json!({ "name": "fault", "typed_config": {
                "@type": format!("{TYPES}.filters.http.fault.v3.HTTPFault"),
                "delay": { "fixed_delay": "300s", "percentage": { "numerator": 100 } },
            } }),
        }
    }
}

fn cluster(name: &str, address: SocketAddr, is_http2: bool) -> Value {
    let protocol = if is_http2 {
        "http2_protocol_options"
    } else {
        "http_protocol_options"
    };
    json!({
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": name, "endpoints": [ { "lb_endpoints": [
            { "endpoint": { "address": socket(address) } } ] } ] },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": { protocol: {} },
        } },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({ "socket_address": {
        "address": address.ip().to_string(), "port_value": address.port() } })
}
