//! An Envoy for one test: its routes lead to Services of the test's namespaces, whose endpoints come from our
//! EDS, and its filter gets what belongs to these namespaces.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use http::Uri;
use serde_json::json;

use super::wakegate::Wakegate;
use crate::envoy::{
    EndpointsFrom, Envoy, EnvoyConfig, EnvoyRoute, FilterConfig, Module, VirtualHost,
};
use crate::programs;

/// Each has a filter VM of its own.
pub(super) const N_WORKERS: u32 = 2;
/// Longer than the longest hold of a test.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(4);

/// A host and where its requests go. Backends are named `service/port`, those of another namespace
/// `namespace/service/port`.
#[derive(Debug, Clone)]
pub struct Host {
    name: String,
    routes: Vec<(String, Vec<String>)>,
}

impl Host {
    /// All requests go to one backend.
    pub fn new(name: &str, backend: &str) -> Self {
        Self::split(name, &[backend])
    }

    /// Requests are shared among backends.
    pub fn split(name: &str, backends: &[&str]) -> Self {
        let backends = backends.iter().map(|backend| (*backend).to_owned());
        Self {
            name: name.to_owned(),
            routes: vec![("/".to_owned(), backends.collect())],
        }
    }

    /// The requests below a path go elsewhere.
    #[must_use]
    pub fn path(mut self, prefix: &str, backend: &str) -> Self {
        let route = (prefix.to_owned(), vec![backend.to_owned()]);
        // The first that matches is taken, and the one for everything is there already.
        self.routes.insert(0, route);
        self
    }

    /// Whether it is the host of a URL.
    pub(super) fn is_of(&self, url: &str) -> bool {
        let uri: Option<Uri> = url.parse().ok();
        uri.is_some_and(|uri| uri.host() == Some(self.name.as_str()))
    }

    /// The clusters that its requests go to.
    pub(super) fn clusters(&self, namespace: &str) -> Vec<String> {
        let routes = self.in_namespace(namespace).routes;
        routes.into_iter().flat_map(|it| it.clusters).collect()
    }

    fn in_namespace(&self, namespace: &str) -> VirtualHost {
        let whole = |backend: &String| match backend.matches('/').count() {
            1 => format!("{namespace}/{backend}"),
            _ => backend.clone(),
        };
        let routes = self.routes.iter();
        let routes = routes.map(|(prefix, backends)| EnvoyRoute {
            prefix: prefix.clone(),
            clusters: backends.iter().map(whole).collect(),
        });
        VirtualHost {
            host: self.name.clone(),
            routes: routes.collect(),
        }
    }
}

/// The configuration of an Envoy that serves `hosts`. The first namespace is where its backends are.
pub(super) fn config(
    node_id: &str,
    wakegate: &Wakegate,
    namespaces: &[&str],
    hosts: &[Host],
) -> Result<EnvoyConfig> {
    let own = namespaces.first().copied().unwrap_or_default();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let control_planes = wakegate.control_planes().iter();
    Ok(EnvoyConfig {
        node_id: node_id.to_owned(),
        listen: any_port,
        admin: any_port,
        n_workers: N_WORKERS,
        filter: Some(FilterConfig {
            module: Module::File(programs::filter()?),
            settings: json!({ "scope": { "namespaces": namespaces } }),
            discovered_from: None,
        }),
        hosts: hosts.iter().map(|host| host.in_namespace(own)).collect(),
        endpoints: EndpointsFrom::Delta,
        control_planes: control_planes
            .map(|replica| replica.addresses().grpc)
            .collect(),
        scalers: wakegate
            .scalers()
            .map(|replica| replica.addresses().grpc)
            .collect(),
        tls: wakegate.envoy_tls().cloned(),
        stream_idle_timeout: STREAM_IDLE_TIMEOUT,
        buffer_limit: None,
        connection_manager: json!({}),
        listener_from: None,
        drain_time: Duration::from_secs(1),
        accepts_connect: false,
    })
}

/// Starts it; returns when each of its workers hears from the control plane. It has no table yet where
/// nothing is annotated.
pub(super) async fn start(config: &EnvoyConfig, folder: &Path) -> Result<Envoy> {
    let envoy = Envoy::start(config, folder).await?;
    envoy.every_worker_is_connected(config.n_workers).await?;
    Ok(envoy)
}
