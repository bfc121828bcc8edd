//! What is watched: the kinds, and where an API server has them.

use std::{collections::BTreeSet, fmt};

use kube::core::ApiResource;
use wakegate_api::http_add_on::{RESPONSE_BODY_LABEL, YES};

use crate::object::Kind;

/// Objects of one kind, of one namespace or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// Nothing for every namespace, and for a kind of the whole cluster.
    pub(super) namespace: Option<String>,
    /// The one object that counts, where a single name may be read.
    pub(super) name: Option<String>,
}

/// Everything that is to be watched for these namespaces, or for all where there is none.
pub(super) fn places(namespaces: &BTreeSet<String>) -> Vec<Place> {
    let mut places = Vec::new();
    for kind in Kind::ALL {
        let whole = Place {
            kind,
            namespace: None,
            name: None,
        };
        if namespaces.is_empty() || kind == Kind::GatewayClass {
            places.push(whole);
            continue;
        }
        places.extend(namespaces.iter().map(|namespace| {
            let namespace = Some(namespace.clone());
            // A right to read these alone is enough.
            if kind == Kind::Namespace {
                Place {
                    name: namespace,
                    ..whole.clone()
                }
            } else {
                Place {
                    namespace,
                    ..whole.clone()
                }
            }
        }));
    }
    places
}

impl Place {
    /// Where an API server may have the kind, the newest version first.
    pub(super) fn resources(&self) -> Vec<ApiResource> {
        let newest = self.kind.api_version();
        let versions = std::iter::once(newest).chain(self.kind.older_api_version());
        versions
            .map(|version| self.kind.resource(version))
            .collect()
    }

    /// Whether the kind comes with a CRD, which may be missing.
    pub(super) fn is_optional(&self) -> bool {
        match self.kind {
            Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::Gateway
            | Kind::GatewayClass
            | Kind::ReferenceGrant
            | Kind::ScaledObject
            | Kind::WakePolicy
            | Kind::InterceptorRoute
            | Kind::HttpScaledObject
            | Kind::EnvoyProxy
            | Kind::BackendTrafficPolicy
            | Kind::VirtualService
            | Kind::ListenerSet => true,
            Kind::Service
            | Kind::EndpointSlice
            | Kind::Namespace
            | Kind::Ingress
            | Kind::Deployment
            | Kind::StatefulSet
            | Kind::HorizontalPodAutoscaler
            | Kind::ConfigMap => false,
        }
    }

    /// The labels that objects need to be read. What else stands in ConfigMaps is nobody's business here.
    pub(super) fn labels(&self) -> Option<String> {
        (self.kind == Kind::ConfigMap).then(|| format!("{RESPONSE_BODY_LABEL}={YES}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        f.write_str(kind.as_str())?;
        if let Some(namespace) = namespace {
            write!(f, " in {namespace}")?;
        }
        if let Some(name) = name {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_watched_once_or_once_for_each_namespace() {
        assert_eq!(places(&BTreeSet::new()).len(), Kind::ALL.len());
        let places = places(&["blog", "shop"].map(String::from).into());
        assert_eq!(places.len(), 2 * (Kind::ALL.len() - 1) + 1);
        let shown: BTreeSet<String> = places.iter().map(ToString::to_string).collect();
        for place in ["GatewayClass", "Namespace shop", "Service in blog"] {
            assert!(shown.contains(place), "{place} in {shown:?}");
        }
    }

    #[test]
    fn an_older_version_comes_after_the_newest() {
        let place = Place {
            kind: Kind::ReferenceGrant,
            namespace: None,
            name: None,
        };
        let versions: Vec<String> = place
            .resources()
            .into_iter()
            .map(|resource| resource.version)
            .collect();
        assert_eq!(versions, ["v1", "v1beta1"]);
    }
}
