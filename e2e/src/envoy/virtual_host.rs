//! What an Envoy routes where: the part of its configuration that a Gateway's controller would write.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::manifests::Service;

/// One host name and where its requests go. A cluster is called as its backend in our EDS:
/// `namespace/service/port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualHost {
    /// The host, without a port.
    pub host: String,
    /// The first that matches takes a request.
    pub routes: Vec<EnvoyRoute>,
}

/// One path and its clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvoyRoute {
    /// The beginning of the paths that it takes.
    pub prefix: String,
    /// Each gets as much as the others.
    pub clusters: Vec<String>,
}

impl From<&Service> for VirtualHost {
    fn from(service: &Service) -> Self {
        Self {
            host: service.host(),
            routes: vec![EnvoyRoute {
                prefix: "/".to_owned(),
                clusters: service.backends(),
            }],
        }
    }
}

impl VirtualHost {
    pub(super) fn to_json(&self, accepts_connect: bool) -> Value {
        let tunnels = self.routes.first().filter(|_| accepts_connect);
        let tunnels = tunnels.map(EnvoyRoute::tunnel);
        let routes = self.routes.iter().map(EnvoyRoute::to_json);
        json!({
            "name": self.host,
            "domains": [self.host, format!("{}:*", self.host)],
            "routes": tunnels.into_iter().chain(routes).collect::<Vec<_>>(),
        })
    }
}

impl EnvoyRoute {
    fn to_json(&self) -> Value {
        json!({
            "match": { "prefix": self.prefix },
            "route": { "weighted_clusters": self.weighted(), "timeout": "0s" },
        })
    }

    /// CONNECT has no path. What comes through the tunnel goes to the app as bytes.
    fn tunnel(&self) -> Value {
        json!({
            "match": { "connect_matcher": {} },
            "route": {
                "weighted_clusters": self.weighted(),
                "timeout": "0s",
                "upgrade_configs": [ { "upgrade_type": "CONNECT", "connect_config": {} } ],
            },
        })
    }

    fn weighted(&self) -> Value {
        let clusters = self.clusters.iter();
        let clusters = clusters.map(|name| json!({ "name": name, "weight": 1 }));
        json!({ "clusters": clusters.collect::<Vec<_>>() })
    }
}

/// Every cluster that is routed to, once.
pub(super) fn clusters(hosts: &[VirtualHost]) -> BTreeSet<&str> {
    let routes = hosts.iter().flat_map(|host| &host.routes);
    let clusters = routes.flat_map(|route| &route.clusters);
    clusters.map(String::as_str).collect()
}
