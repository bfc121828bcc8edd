//! One port of one Service, and what a worker is told about it.

use std::{fmt, num::NonZeroU32};

use crate::places::{Name, Named};

/// `namespace/service/port`: the name of a backend everywhere, and of its cluster in our EDS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(Name);

/// The name that demand is counted under, such as `service/shop/web`.
///
/// Filters count per Service (or per InterceptorRoute, HTTPScaledObject); the scaler sums the keys of
/// one workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Name);

/// What the control plane says of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name.
    pub id: BackendId,
    /// Endpoints that are ready; with none the backend is asleep.
    pub ready_endpoints: u32,
    /// Its ScaledObject is paused at zero, so that nothing can wake it.
    pub paused: bool,
    /// Whether Envoy's own view is probed before a release.
    pub probe: bool,
    /// Requests that a thaw may have under way for each ready endpoint.
    pub max_in_flight_per_endpoint: Option<NonZeroU32>,
}

impl BackendId {
    /// Names the backend at `port` of `service`.
    ///
    /// ```
    /// # use wakegate_core::BackendId;
    /// assert_eq!(BackendId::new("shop", "web", 80).as_str(), "shop/web/80");
    /// ```
    pub fn new(namespace: &str, service: &str, port: u16) -> Self {
        Self(Name::from(format!("{namespace}/{service}/{port}").as_str()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether a cluster of Envoy is the backend's: one of our EDS has its name, and Istio calls those of a Service
    /// `outbound|port|subset|service.namespace.svc.domain` (istio/istio, `pilot/pkg/model/service.go`,
    /// `BuildSubsetKey`), which of its subsets it may be.
    ///
    /// ```
    /// # use wakegate_core::BackendId;
    /// let web = BackendId::new("shop", "web", 80);
    /// assert!(web.is_of(b"shop/web/80"));
    /// assert!(web.is_of(b"outbound|80|v2|web.shop.svc.cluster.local"));
    /// assert!(!web.is_of(b"outbound|81||web.shop.svc.cluster.local"));
    /// ```
    pub fn is_of(&self, cluster: &[u8]) -> bool {
        cluster == self.as_str().as_bytes() || self.is_of_istios(cluster).unwrap_or(false)
    }

    fn is_of_istios(&self, cluster: &[u8]) -> Option<bool> {
        let mut parts = self.as_str().splitn(3, '/');
        let (namespace, service, port) = (parts.next()?, parts.next()?, parts.next()?);
        let rest = cluster.strip_prefix(b"outbound|")?;
        let rest = rest.strip_prefix(port.as_bytes())?.strip_prefix(b"|")?;
        let subset = rest.iter().position(|byte| *byte == b'|')?;
        let host = rest.get(subset..)?.strip_prefix(b"|")?;
        let rest = host.strip_prefix(service.as_bytes())?.strip_prefix(b".")?;
        let rest = rest.strip_prefix(namespace.as_bytes())?;
        let domain = rest.strip_prefix(b".svc.")?;
        Some(!domain.is_empty())
    }
}

impl Key {
    /// The key of a Service, which is what most routes count under.
    ///
    /// ```
    /// # use wakegate_core::Key;
    /// assert_eq!(Key::service("shop", "web").as_str(), "service/shop/web");
    /// ```
    pub fn service(namespace: &str, name: &str) -> Self {
        Self(Name::from(format!("service/{namespace}/{name}").as_str()))
    }

    /// The key of an InterceptorRoute of the KEDA HTTP Add-on.
    pub fn interceptor_route(namespace: &str, name: &str) -> Self {
        Self(Name::from(
            format!("interceptorRoute/{namespace}/{name}").as_str(),
        ))
    }

    /// The key of an HTTPScaledObject of the KEDA HTTP Add-on.
    pub fn http_scaled_object(namespace: &str, name: &str) -> Self {
        Self(Name::from(
            format!("httpScaledObject/{namespace}/{name}").as_str(),
        ))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// 64 bits of the key, the same in every process: FNV-1a with a final mix. The wrapping sum of the
    /// digests of a set of keys names the set, whatever their order, and changes by one addition.
    pub fn digest(&self) -> u64 {
        let fnv = self
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

impl Backend {
    /// A backend of which nothing is known but its name: asleep, probed, without a cap of its own.
    pub fn asleep(id: BackendId) -> Self {
        Self {
            id,
            ready_endpoints: 0,
            paused: false,
            probe: true,
            max_in_flight_per_endpoint: None,
        }
    }
}

impl Named for BackendId {
    fn name(&self) -> &Name {
        &self.0
    }

    fn name_mut(&mut self) -> &mut Name {
        &mut self.0
    }
}

impl Named for Key {
    fn name(&self) -> &Name {
        &self.0
    }

    fn name_mut(&mut self) -> &mut Name {
        &mut self.0
    }
}

impl From<&str> for BackendId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_of_istio_is_a_services_whatever_its_subset_and_domain() {
        let web = BackendId::new("shop", "web", 80);
        for (cluster, is_webs) in [
            ("outbound|80||web.shop.svc.cluster.local", true),
            ("outbound|80|canary|web.shop.svc.example.internal", true),
            ("outbound|8080||web.shop.svc.cluster.local", false),
            ("outbound|80||web.shop2.svc.cluster.local", false),
            ("outbound|80||webb.shop.svc.cluster.local", false),
            ("outbound|80||web.shop.svc.", false),
            ("outbound|80|web.shop.svc.cluster.local", false),
            ("outbound|80||web.example.com", false),
            ("inbound|80||web.shop.svc.cluster.local", false),
            ("outbound|", false),
            ("", false),
        ] {
            assert_eq!(web.is_of(cluster.as_bytes()), is_webs, "{cluster}");
        }
        assert!(!web.is_of(b"outbound|80|\xff|web.shop\xff.svc.x"));
        assert!(!BackendId::from("odd").is_of(b"outbound|80||web.shop.svc.x"));
    }
}
