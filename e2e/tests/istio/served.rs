//! What istiod would serve a gateway, in files that a real Envoy watches.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

pub(super) const TYPE: &str = "type.googleapis.com/envoy";
pub(super) const HELLO: &str = "outbound|80||hello.demo.svc.cluster.local";
/// The name of the filter's discovery: namespace and name of the `WasmPlugin`.
pub(super) const PLUGIN: &str = "istio-ingress.wakegate";
const FILES: &str = "../envoy-config/istio";

/// Objects of a file.
pub(super) fn objects(name: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(Path::new(FILES).join(name))?;
    let documents = text.split("\n---\n");
    let objects = documents.map(|it| serde_saphyr::from_str(it).with_context(|| name.to_owned()));
    objects.collect()
}

pub(super) fn field<'a>(object: &'a Value, pointer: &str) -> Result<&'a Value> {
    let found = object.pointer(pointer);
    found.with_context(|| format!("no {pointer} in {object}"))
}

/// What istiod would serve, as files that Envoy watches.
pub(super) struct Served<'a> {
    pub(super) folder: &'a Path,
}

impl Served<'_> {
    pub(super) fn from(&self, name: &str) -> Value {
        let path = self.folder.join(format!("{name}.json"));
        json!({ "resource_api_version": "V3", "path_config_source": { "path": path } })
    }

    pub(super) fn put(&self, name: &str, resources: &[Value]) -> Result<()> {
        let partial = self.folder.join(format!("{name}.partial"));
        fs::write(&partial, json!({ "resources": resources }).to_string())?;
        Ok(fs::rename(
            partial,
            self.folder.join(format!("{name}.json")),
        )?)
    }

    pub(super) fn put_endpoints(
        &self,
        name: &str,
        cluster: &str,
        addresses: &[SocketAddr],
    ) -> Result<()> {
        let endpoints = addresses.iter();
        let endpoints = endpoints.map(|it| json!({ "endpoint": { "address": socket(*it) } }));
        let endpoints: Vec<_> = endpoints.collect();
        let assignment = json!({
            "@type": format!("{TYPE}.config.endpoint.v3.ClusterLoadAssignment"),
            "cluster_name": cluster,
            "endpoints": [ { "lb_endpoints": endpoints } ],
        });
        self.put(&format!("eds-{name}"), &[assignment])
    }

    pub(super) fn write(&self, address: SocketAddr, daemons: &[SocketAddr]) -> Result<()> {
        self.write_secrets()?;
        self.put_endpoints("hello", HELLO, &[])?;
        let mut clusters = vec![self.cluster("hello", HELLO)];
        for (rule, daemon) in objects("destination-rules.yaml")?.iter().zip(daemons) {
            clusters.push(self.daemon(rule, *daemon)?);
        }
        self.put("cds", &clusters)?;
        self.put("rds", &[routes()])?;
        self.put("lds", &[self.listener(address)])
    }

    fn cluster(&self, name: &str, cluster: &str) -> Value {
        json!({
            "@type": format!("{TYPE}.config.cluster.v3.Cluster"),
            "name": cluster,
            "type": "EDS",
            "connect_timeout": "10s",
            "eds_cluster_config": { "service_name": cluster, "eds_config": self.from(&format!("eds-{name}")) },
        })
    }

    /// The cluster of a daemon, with TLS by its `DestinationRule`.
    fn daemon(&self, rule: &Value, address: SocketAddr) -> Result<Value> {
        let text = |pointer| field(rule, pointer)?.as_str().context("text");
        let (host, settings) = (
            text("/spec/host")?,
            "/spec/trafficPolicy/portLevelSettings/0",
        );
        let port = field(rule, &format!("{settings}/port/number"))?;
        let tls = field(rule, &format!("{settings}/tls"))?;
        ensure!(field(tls, "/mode")? == "MUTUAL", "{tls}");
        let secret = field(tls, "/credentialName")?.as_str().context("a name")?;
        let names = field(tls, "/subjectAltNames")?
            .as_array()
            .context("a list")?;
        let names = names
            .iter()
            .map(|name| json!({ "san_type": "URI", "matcher": { "exact": name } }));
        let (name, cluster) = (text("/metadata/name")?, format!("outbound|{port}||{host}"));
        self.put_endpoints(name, &cluster, &[address])?;
        let mut object = self.cluster(name, &cluster);
        let http2 = json!({ "@type": format!("{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": { "http2_protocol_options": {} } });
        let sds = |name: String| json!({ "name": name, "sds_config": self.from(&name.replace("kubernetes://", "sds-")) });
        let context = json!({ "@type": format!("{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
            "sni": format!("outbound_.{port}_._.{host}"),
            "common_tls_context": {
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3" },
                "alpn_protocols": ["h2"],
                "tls_certificate_sds_secret_configs": [sds(format!("kubernetes://{secret}"))],
                "combined_validation_context": {
                    "default_validation_context": { "match_typed_subject_alt_names": names.collect::<Vec<_>>() },
                    "validation_context_sds_secret_config": sds(format!("kubernetes://{secret}-cacert")),
                },
            } });
        let fields = object.as_object_mut().context("a cluster")?;
        fields.insert(
            "typed_extension_protocol_options".to_owned(),
            json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 }),
        );
        fields.insert(
            "transport_socket".to_owned(),
            json!({ "name": "envoy.transport_sockets.tls", "typed_config": context }),
        );
        Ok(object)
    }

    /// The Secret of the gateway's namespace, in the two parts in which istiod serves it.
    fn write_secrets(&self) -> Result<()> {
        let file = |name| json!({ "filename": self.folder.join("tls/filter").join(name) });
        let secret = |name: &str, kind: &str, value: Value| json!({ "@type": format!("{TYPE}.extensions.transport_sockets.tls.v3.Secret"), "name": name, kind: value });
        let certificate =
            json!({ "certificate_chain": file("tls.crt"), "private_key": file("tls.key") });
        let name = "kubernetes://wakegate-filter-tls";
        self.put(
            "sds-wakegate-filter-tls",
            &[secret(name, "tls_certificate", certificate)],
        )?;
        let name = "kubernetes://wakegate-filter-tls-cacert";
        let authorities = json!({ "trusted_ca": file("ca.crt") });
        self.put(
            "sds-wakegate-filter-tls-cacert",
            &[secret(name, "validation_context", authorities)],
        )
    }

    /// Authorization, then plugins, then what Istio has last.
    fn listener(&self, address: SocketAddr) -> Value {
        let http = |name: &str, kind: &str| {
            json!({ "name": format!("envoy.filters.http.{name}"),
                "typed_config": { "@type": format!("{TYPE}.extensions.filters.http.{name}.v3.{kind}") } })
        };
        let mut rbac = http("rbac", "RBAC");
        let denied = json!({ "action": "DENY", "policies": { "denied": {
            "permissions": [ { "url_path": { "path": { "prefix": "/denied" } } } ],
            "principals": [ { "any": true } ] } } });
        if let Some(config) = rbac
            .pointer_mut("/typed_config")
            .and_then(Value::as_object_mut)
        {
            config.insert("rules".to_owned(), denied);
        }
        let mut discovery = self.from("ecds");
        if let Some(discovery) = discovery.as_object_mut() {
            discovery.insert("initial_fetch_timeout".to_owned(), json!("0s"));
        }
        let plugin = json!({ "name": PLUGIN, "config_discovery": { "config_source": discovery, "type_urls": [
            format!("{TYPE}.extensions.filters.http.wasm.v3.Wasm"),
            format!("{TYPE}.extensions.filters.http.rbac.v3.RBAC"),
        ] } });
        let manager = json!({
            "@type": format!("{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "outbound_0.0.0.0_8080",
            "rds": { "route_config_name": "http.8080", "config_source": self.from("rds") },
            "stream_idle_timeout": "0s",
            "normalize_path": true,
            "upgrade_configs": [ { "upgrade_type": "websocket" } ],
            "http_filters": [rbac, plugin, http("fault", "HTTPFault"), http("cors", "Cors"), http("router", "Router")],
        });
        json!({
            "@type": format!("{TYPE}.config.listener.v3.Listener"),
            "name": "0.0.0.0_8080",
            "address": socket(address),
            "traffic_direction": "OUTBOUND",
            "filter_chains": [ { "filters": [ {
                "name": "envoy.filters.network.http_connection_manager", "typed_config": manager } ] } ],
        })
    }
}

/// A `VirtualService`'s, with the retries that Istio has for every route.
fn routes() -> Value {
    json!({
        "@type": format!("{TYPE}.config.route.v3.RouteConfiguration"),
        "name": "http.8080",
        "virtual_hosts": [ { "name": "hello.example:80", "domains": ["hello.example"], "routes": [ {
            "match": { "prefix": "/" },
            "route": {
                "cluster": HELLO,
                "timeout": "0s",
                "retry_policy": {
                    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
                    "num_retries": 2,
                    "host_selection_retry_max_attempts": "5",
                    "retriable_status_codes": [503],
                },
            },
        } ] } ],
    })
}

pub(super) fn socket(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
