//! Envoy's bootstrap, made from what a test needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::clusters::{self, EndpointsFrom};
use super::filter::{CONTROL_PLANE, FilterConfig, MODULE, Module, SCALER};
use super::tls::EnvoyTls;
use super::virtual_host::{self, VirtualHost};
use crate::manifests::Service;
use crate::tls::Role;

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.\
                   http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const FILE_LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// What makes one Envoy different from another.
#[derive(Debug, Clone)]
pub struct EnvoyConfig {
    /// `node.id`.
    pub node_id: String,
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the admin endpoint is.
    pub admin: SocketAddr,
    /// Worker threads; each has its own filter VM.
    pub n_workers: u32,
    /// None: without the filter.
    pub filter: Option<FilterConfig>,
    /// What is served. Every backend is a cluster.
    pub hosts: Vec<VirtualHost>,
    /// Where the endpoints come from.
    pub endpoints: EndpointsFrom,
    /// gRPC of the control plane's replicas.
    pub control_planes: Vec<SocketAddr>,
    /// gRPC of the scaler's replicas.
    pub scalers: Vec<SocketAddr>,
    /// How it speaks to both; `None` is plain text.
    pub tls: Option<EnvoyTls>,
    /// Ends streams on which nothing happens; must be above the longest hold.
    pub stream_idle_timeout: Duration,
    /// What one connection may buffer; `None` is Envoy's default of 1 MiB.
    pub buffer_limit: Option<u32>,
    /// Fields of the HTTP connection manager, in place of those that are there.
    pub connection_manager: Value,
    /// The file that the listener is discovered from (LDS), so that it can change while Envoy runs;
    /// `None` is a fixed listener.
    pub listener_from: Option<PathBuf>,
    /// Connections of a listener that changed are closed after this.
    pub drain_time: Duration,
    /// Whether CONNECT opens a tunnel to the app of its host.
    pub accepts_connect: bool,
}

impl EnvoyConfig {
    /// The bootstrap as JSON.
    pub fn bootstrap(&self, access_log: &Path) -> Value {
        let tls = self.tls.as_ref();
        let socket_to = |role| tls.map(|tls| tls.socket(role));
        let control_plane = socket_to(Role::ControlPlane);
        let ours = [
            clusters::of_daemon(CONTROL_PLANE, &self.control_planes, control_plane),
            clusters::of_daemon(SCALER, &self.scalers, socket_to(Role::Scaler)),
        ];
        let apps = virtual_host::clusters(&self.hosts).into_iter();
        let apps = apps.map(|name| clusters::of_app(name, &self.endpoints));
        let filter = self.filter.as_ref();
        let module = filter.and_then(|filter| match &filter.module {
            Module::Http { address, .. } => Some(clusters::of_module(MODULE, *address)),
            Module::File(_) => None,
        });
        let clusters: Vec<_> = ours.into_iter().chain(module).chain(apps).collect();
        let (listeners, discovery) = match &self.listener_from {
            None => (vec![self.listener(access_log)], json!({})),
            Some(file) => (
                Vec::new(),
                json!({ "lds_config": {
                    "resource_api_version": "V3", "path_config_source": { "path": file } } }),
            ),
        };
        json!({
            "node": { "id": self.node_id, "cluster": "wakegate-e2e" },
            "admin": { "address": socket(self.admin) },
            "static_resources": { "listeners": listeners, "clusters": clusters },
            "dynamic_resources": discovery,
            // Envoy warns about a missing limit; a test machine has none to give.
            "layered_runtime": { "layers": [ { "name": "static", "static_layer": {
                "overload": { "global_downstream_max_connections": 50_000 } } } ] },
        })
    }

    /// Writes the listener, where it is discovered.
    pub fn write_listener(&self, access_log: &Path) -> Result<()> {
        let file = self.listener_from.as_ref();
        let file = file.context("the listener is discovered")?;
        let mut listener = self.listener(access_log);
        if let Some(fields) = listener.as_object_mut() {
            fields.insert("@type".to_owned(), json!(LISTENER));
        }
        write_whole(file, &json!({ "resources": [listener] }).to_string())
    }

    /// Writes the filter's configuration, where it is discovered.
    pub fn write_filter(&self, settings: &Value) -> Result<()> {
        let filter = self.filter.as_ref().context("an Envoy with the filter")?;
        let file = filter
            .discovered_from
            .as_ref()
            .context("its configuration is discovered")?;
        write_whole(file, &filter.discovery_response(settings).to_string())
    }

    /// Writes what Envoy knows of a Service, where its endpoints come from files.
    pub fn write_endpoint(&self, service: &Service, endpoint: Option<SocketAddr>) -> Result<()> {
        let EndpointsFrom::Files(folder) = &self.endpoints else {
            bail!("this Envoy gets its endpoints from the control plane");
        };
        let file = clusters::endpoints_file(folder, &service.backend());
        let response = clusters::endpoints_response(service, endpoint);
        write_whole(&file, &response.to_string())
    }

    fn listener(&self, access_log: &Path) -> Value {
        let mut listener = json!({
            "name": "http",
            "address": socket(self.listen),
            "filter_chains": [ { "filters": [ {
                "name": "http", "typed_config": self.connection_manager(access_log) } ] } ],
        });
        if let (Some(limit), Some(fields)) = (self.buffer_limit, listener.as_object_mut()) {
            fields.insert("per_connection_buffer_limit_bytes".to_owned(), json!(limit));
        }
        listener
    }

    fn connection_manager(&self, access_log: &Path) -> Value {
        let mut filters: Vec<_> = self.filter.iter().map(FilterConfig::http_filter).collect();
        filters.push(json!({ "name": "router", "typed_config": { "@type": ROUTER } }));
        let hosts = self.hosts.iter();
        let hosts: Vec<_> = hosts
            .map(|host| host.to_json(self.accepts_connect))
            .collect();
        let mut upgrades = vec![json!({ "upgrade_type": "websocket" })];
        upgrades.extend(
            self.accepts_connect
                .then(|| json!({ "upgrade_type": "CONNECT" })),
        );
        let mut manager = json!({
            "@type": HCM,
            "stat_prefix": "http",
            "codec_type": "AUTO",
            "http2_protocol_options": { "max_concurrent_streams": 20_000 },
            "stream_idle_timeout": seconds(self.stream_idle_timeout),
            "upgrade_configs": upgrades,
            "http_filters": filters,
            "route_config": { "name": "apps", "virtual_hosts": hosts },
            "access_log": [ { "name": "file", "typed_config": {
                "@type": FILE_LOG,
                "path": access_log,
                "log_format": { "json_format": access_log_fields() },
            } } ],
        });
        if let (Some(manager), Some(others)) =
            (manager.as_object_mut(), self.connection_manager.as_object())
        {
            manager.extend(others.clone());
        }
        manager
    }
}

/// By a rename, which is also what Envoy watches for.
pub(super) fn write_whole(file: &Path, text: &str) -> Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, text).with_context(|| format!("write {}", partial.display()))?;
    std::fs::rename(&partial, file).with_context(|| format!("put {} in place", file.display()))
}

pub(super) fn socket(address: SocketAddr) -> Value {
    json!({ "socket_address": {
        "address": address.ip().to_string(), "port_value": address.port() } })
}

fn seconds(span: Duration) -> String {
    format!("{:.3}s", span.as_secs_f64())
}

fn access_log_fields() -> Value {
    json!({
        "start": "%START_TIME(%s.%3f)%",
        "method": "%REQ(:METHOD)%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%REQ(:PATH)%",
        "protocol": "%PROTOCOL%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "route": "%ROUTE_NAME%",
        "number": "%REQ(X-NUMBER)%",
        "duration_ms": "%DURATION%",
        "upstream": "%UPSTREAM_HOST%",
        "connection": "%CONNECTION_ID%",
        "held_ms": "%FILTER_STATE(wasm.wakegate.held_ms:PLAIN)%",
    })
}
