//! What istiod would serve a gateway, on one aggregated stream.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::XdsServer;

pub(super) const TYPE: &str = "type.googleapis.com/envoy";
const HELLO: &str = "outbound|80||hello.demo.svc.cluster.local";
/// The subsets of the same Service by a `DestinationRule`.
const SUBSETS: [&str; 2] = [
    "outbound|80|v1|hello.demo.svc.cluster.local",
    "outbound|80|v2|hello.demo.svc.cluster.local",
];
const APPS: [&str; 3] = [HELLO, SUBSETS[0], SUBSETS[1]];
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

/// How the filter comes to the gateway.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    /// By its own discovery, as that of a `WasmPlugin` does.
    Discovered,
    /// In the listener itself, where an `EnvoyFilter` puts it.
    Inserted(Value),
}

/// What istiod serves.
pub(super) struct Served<'a> {
    pub(super) xds: &'a XdsServer,
    /// The folder with the certificates.
    pub(super) folder: &'a Path,
}

impl Served<'_> {
    /// The app's endpoints in its cluster and in those of its subsets: one push.
    pub(super) fn put_endpoints(&self, addresses: &[SocketAddr]) -> Result<()> {
        let assignments = APPS.map(|cluster| assignment(cluster, addresses));
        self.xds.put("eds", &assignments)
    }

    /// Everything but the discovery of the filter.
    pub(super) fn write(
        &self,
        address: SocketAddr,
        daemons: [SocketAddr; 2],
        filter: &Filter,
    ) -> Result<()> {
        self.write_secrets()?;
        self.put_endpoints(&[])?;
        let mut clusters: Vec<_> = APPS.map(cluster_of).into();
        for (rule, daemon) in objects("destination-rules.yaml")?.iter().zip(daemons) {
            clusters.push(self.daemon(rule, daemon)?);
        }
        self.xds.put("cds", &clusters)?;
        self.xds.put("rds", &[routes()])?;
        self.xds.put("lds", &[listener(address, filter)?])
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
        self.xds
            .put(&format!("eds-{name}"), &[assignment(&cluster, &[address])])?;
        let mut object = cluster_of(&cluster);
        let http2 = json!({ "@type": format!("{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": { "http2_protocol_options": {} } });
        let sds = |name: String| json!({ "name": name, "sds_config": XdsServer::source() });
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
        let certificate = secret(name, "tls_certificate", certificate);
        let name = "kubernetes://wakegate-filter-tls-cacert";
        let authorities = json!({ "trusted_ca": file("ca.crt") });
        let authorities = secret(name, "validation_context", authorities);
        self.xds.put("sds", &[certificate, authorities])
    }
}

fn assignment(cluster: &str, addresses: &[SocketAddr]) -> Value {
    let endpoints = addresses.iter();
    let endpoints =
        endpoints.map(|it| json!({ "endpoint": { "address": XdsServer::socket(*it) } }));
    json!({
        "@type": format!("{TYPE}.config.endpoint.v3.ClusterLoadAssignment"),
        "cluster_name": cluster,
        "endpoints": [ { "lb_endpoints": endpoints.collect::<Vec<_>>() } ],
    })
}

/// A cluster by EDS.
fn cluster_of(name: &str) -> Value {
    json!({
        "@type": format!("{TYPE}.config.cluster.v3.Cluster"),
        "name": name,
        "type": "EDS",
        "connect_timeout": "10s",
        "eds_cluster_config": { "service_name": name, "eds_config": XdsServer::source() },
    })
}

/// Authorization, then plugins, then what Istio has last; an `EnvoyFilter` has the last word.
fn listener(address: SocketAddr, filter: &Filter) -> Result<Value> {
    let http = |name: &str, kind: &str, fields: Value| {
        let mut config = fields;
        if let Some(fields) = config.as_object_mut() {
            let kind = format!("{TYPE}.extensions.filters.http.{name}.v3.{kind}");
            fields.insert("@type".to_owned(), json!(kind));
        }
        json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": config })
    };
    let rules = json!({ "rules": { "action": "DENY", "policies": { "denied": {
        "permissions": [ { "url_path": { "path": { "prefix": "/denied" } } } ],
        "principals": [ { "any": true } ] } } } });
    let mut filters = vec![
        http("rbac", "RBAC", rules),
        http("fault", "HTTPFault", json!({})),
        http("cors", "Cors", json!({})),
        http("router", "Router", json!({})),
    ];
    match filter {
        Filter::Discovered => filters.insert(1, plugin()),
        Filter::Inserted(patch) => insert_before(&mut filters, patch)?,
    }
    let manager = json!({
        "@type": format!("{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "outbound_0.0.0.0_8080",
        "rds": { "route_config_name": "http.8080", "config_source": XdsServer::source() },
        "stream_idle_timeout": "0s",
        "normalize_path": true,
        "upgrade_configs": [ { "upgrade_type": "websocket" } ],
        "http_filters": filters,
    });
    Ok(json!({
        "@type": format!("{TYPE}.config.listener.v3.Listener"),
        "name": "0.0.0.0_8080",
        "address": XdsServer::socket(address),
        "traffic_direction": "OUTBOUND",
        "filter_chains": [ { "filters": [ {
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager } ] } ],
    }))
}

/// Where a `WasmPlugin` is: what it is comes by discovery, and the agent may send a refusal in its place.
fn plugin() -> Value {
    let mut source = XdsServer::source();
    if let Some(source) = source.as_object_mut() {
        source.insert("initial_fetch_timeout".to_owned(), json!("0s"));
    }
    json!({ "name": PLUGIN, "config_discovery": { "config_source": source, "type_urls": [
        format!("{TYPE}.extensions.filters.http.wasm.v3.Wasm"),
        format!("{TYPE}.extensions.filters.http.rbac.v3.RBAC"),
    ] } })
}

/// Does what a patch of an `EnvoyFilter` says.
fn insert_before(filters: &mut Vec<Value>, patch: &Value) -> Result<()> {
    ensure!(
        field(patch, "/patch/operation")? == "INSERT_BEFORE",
        "{patch}"
    );
    let before = field(patch, "/match/listener/filterChain/filter/subFilter/name")?;
    let at = filters.iter().position(|it| it.get("name") == Some(before));
    filters.insert(
        at.context("the patch has a place")?,
        field(patch, "/patch/value")?.clone(),
    );
    Ok(())
}

/// What istiod makes of two hosts, with the retries that it has for every route: a Service, and two of its subsets.
fn routes() -> Value {
    let whole = json!({ "cluster": HELLO });
    let halves = json!({ "weighted_clusters": { "clusters": [
        { "name": SUBSETS[0], "weight": 50 }, { "name": SUBSETS[1], "weight": 50 } ] } });
    let host = |name: &str, mut action: Value| {
        if let Some(fields) = action.as_object_mut() {
            fields.insert("timeout".to_owned(), json!("0s"));
            fields.insert("retry_policy".to_owned(), retries());
        }
        json!({ "name": format!("{name}:80"), "domains": [name],
            "routes": [ { "match": { "prefix": "/" }, "route": action } ] })
    };
    json!({
        "@type": format!("{TYPE}.config.route.v3.RouteConfiguration"),
        "name": "http.8080",
        "virtual_hosts": [host("hello.example", whole), host("split.example", halves)],
    })
}

fn retries() -> Value {
    json!({
        "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        "num_retries": 2,
        "host_selection_retry_max_attempts": "5",
        "retriable_status_codes": [503],
    })
}
