//! The kinds that are looked at.

use std::fmt;

use serde::Serialize;

use crate::source::Resource;

/// A kind that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// The add-on's.
    InterceptorRoute,
    /// The add-on's, which it has deprecated.
    #[serde(rename = "HTTPScaledObject")]
    HttpScaledObject,
    /// KEDA's.
    ScaledObject,
    /// Gateway API's.
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// Gateway API's.
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    /// Kubernetes' own.
    Ingress,
    /// Istio's.
    VirtualService,
    /// Contour's.
    #[serde(rename = "HTTPProxy")]
    HttpProxy,
    /// Gateway API's.
    ReferenceGrant,
    /// Kubernetes' own.
    Service,
    /// Kubernetes' own; those with a body of an answer alone.
    ConfigMap,
    /// Kubernetes' own; those of the add-on alone.
    Deployment,
}

impl Kind {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 12] = [
        Self::InterceptorRoute,
        Self::HttpScaledObject,
        Self::ScaledObject,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::Ingress,
        Self::VirtualService,
        Self::HttpProxy,
        Self::ReferenceGrant,
        Self::Service,
        Self::ConfigMap,
        Self::Deployment,
    ];

    /// As objects name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InterceptorRoute => "InterceptorRoute",
            Self::HttpScaledObject => "HTTPScaledObject",
            Self::ScaledObject => "ScaledObject",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::Ingress => "Ingress",
            Self::VirtualService => "VirtualService",
            Self::HttpProxy => "HTTPProxy",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::Service => "Service",
            Self::ConfigMap => "ConfigMap",
            Self::Deployment => "Deployment",
        }
    }

    /// Its group; empty for the core's.
    pub fn group(self) -> &'static str {
        match self {
            Self::InterceptorRoute | Self::HttpScaledObject => "http.keda.sh",
            Self::ScaledObject => "keda.sh",
            Self::HttpRoute | Self::GrpcRoute | Self::ReferenceGrant => "gateway.networking.k8s.io",
            Self::Ingress => "networking.k8s.io",
            Self::VirtualService => "networking.istio.io",
            Self::HttpProxy => "projectcontour.io",
            Self::Service | Self::ConfigMap => "",
            Self::Deployment => "apps",
        }
    }

    /// The versions that can be read, the newest first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::InterceptorRoute => &["v1beta1"],
            Self::HttpScaledObject | Self::ScaledObject => &["v1alpha1"],
            Self::HttpRoute | Self::ReferenceGrant => &["v1", "v1beta1"],
            Self::VirtualService => &["v1", "v1beta1", "v1alpha3"],
            Self::GrpcRoute
            | Self::Ingress
            | Self::HttpProxy
            | Self::Service
            | Self::ConfigMap
            | Self::Deployment => &["v1"],
        }
    }

    /// As an API server's paths have it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::InterceptorRoute => "interceptorroutes",
            Self::HttpScaledObject => "httpscaledobjects",
            Self::ScaledObject => "scaledobjects",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::Ingress => "ingresses",
            Self::VirtualService => "virtualservices",
            Self::HttpProxy => "httpproxies",
            Self::ReferenceGrant => "referencegrants",
            Self::Service => "services",
            Self::ConfigMap => "configmaps",
            Self::Deployment => "deployments",
        }
    }

    /// Whether it is of the add-on.
    pub fn is_add_on(self) -> bool {
        matches!(self, Self::InterceptorRoute | Self::HttpScaledObject)
    }

    /// As an API server has it.
    pub fn resource(self) -> Resource {
        Resource {
            kind: self.as_str(),
            group: self.group(),
            versions: self.versions(),
            plural: self.plural(),
            is_namespaced: true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
