//! What was observed: the objects that the index reads, and their names.

use std::{collections::BTreeMap, fmt, sync::Arc};

use gateway_api::apis::standard::httproutes::HttpRoute;
use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice, networking::v1::Ingress},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use wakegate_api::ScaledObject;

/// An object of a kind that the index reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// What routes lead to.
    Service(Box<Service>),
    /// Who is ready behind a Service.
    EndpointSlice(Box<EndpointSlice>),
    /// Routes of Gateway API.
    HttpRoute(Box<HttpRoute>),
    /// Routes of the older kind.
    Ingress(Box<Ingress>),
    /// What is scaled.
    Workload(Box<WorkloadObject>),
    /// Whether scaling is paused.
    ScaledObject(Box<ScaledObject>),
}

/// A Deployment or StatefulSet, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadObject {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// `spec.replicas`, which is 1 when it is not there.
    pub replicas: u32,
    /// The labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
}

/// A kind that the index reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1`.
    Service,
    /// `discovery.k8s.io/v1`.
    EndpointSlice,
    /// `gateway.networking.k8s.io/v1`.
    HttpRoute,
    /// `networking.k8s.io/v1`.
    Ingress,
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `keda.sh/v1alpha1`.
    ScaledObject,
}

/// Kind, namespace and name: `Service shop/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// One thing that is wrong with one object. It affects no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The object, or the file and document where it cannot be told.
    pub object: String,
    /// The path of the field, such as `spec.rules[0].backendRefs[1]`; empty for the whole.
    pub field: String,
    /// What is wrong with it and what follows.
    pub reason: String,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Service,
        Self::EndpointSlice,
        Self::HttpRoute,
        Self::Ingress,
        Self::Deployment,
        Self::StatefulSet,
        Self::ScaledObject,
    ];

    /// As it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::HttpRoute => "HTTPRoute",
            Self::Ingress => "Ingress",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ScaledObject => "ScaledObject",
        }
    }

    /// The version that is read.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Service => "v1",
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::HttpRoute => "gateway.networking.k8s.io/v1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::Deployment | Self::StatefulSet => "apps/v1",
            Self::ScaledObject => "keda.sh/v1alpha1",
        }
    }
}

impl ObjectId {
    /// Names an object.
    pub fn new(kind: Kind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl Object {
    /// Name, namespace, labels and annotations.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Service(object) => &object.metadata,
            Self::EndpointSlice(object) => &object.metadata,
            Self::HttpRoute(object) => &object.metadata,
            Self::Ingress(object) => &object.metadata,
            Self::Workload(object) => &object.metadata,
            Self::ScaledObject(object) => &object.metadata,
        }
    }
}

impl Finding {
    /// A finding on an object.
    pub fn new(object: &ObjectId, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            object: object.to_string(),
            field: field.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            field,
            reason,
        } = self;
        if field.is_empty() {
            return write!(f, "{object}: {reason}");
        }
        write!(f, "{object}: {field}: {reason}")
    }
}
