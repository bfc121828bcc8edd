//! What was observed: the objects that the index reads, and their names.

mod listener_set;
mod routing;
mod virtual_service;

use std::{collections::BTreeMap, fmt, sync::Arc};

use gateway_api::apis::standard::{
    gatewayclasses::GatewayClass, gateways::Gateway, grpcroutes::GrpcRoute, httproutes::HttpRoute,
    referencegrants::ReferenceGrant,
};
use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice, networking::v1::Ingress},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::ApiResource;
use wakegate_api::{ScaledObject, http_add_on::Reading, wake_policy::Rules};

pub use self::{
    listener_set::ListenerSetObject,
    routing::{PolicyTarget, RoutingObject},
    virtual_service::{
        Destination, Said, StringMatch, VirtualMatch, VirtualRoute, VirtualServiceObject,
    },
};

/// An object of a kind that the index reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// What routes lead to.
    Service(Box<Service>),
    /// Who is ready behind a Service.
    EndpointSlice(Box<EndpointSlice>),
    /// Routes of Gateway API.
    HttpRoute(Box<HttpRoute>),
    /// Routes of Gateway API for gRPC.
    GrpcRoute(Box<GrpcRoute>),
    /// What HTTPRoutes and GRPCRoutes are attached to.
    Gateway(Box<Gateway>),
    /// More listeners of a Gateway.
    ListenerSet(Box<ListenerSetObject>),
    /// Who serves a Gateway.
    GatewayClass(Box<GatewayClass>),
    /// Who may refer into a namespace.
    ReferenceGrant(Box<ReferenceGrant>),
    /// The labels by which a Gateway may choose.
    Namespace(Box<NamespaceObject>),
    /// Routes of the older kind.
    Ingress(Box<Ingress>),
    /// What is scaled.
    Workload(Box<WorkloadObject>),
    /// Who else scales a workload, and whether scaling is paused.
    ScaledObject(Box<ScaledObject>),
    /// Who else scales a workload without KEDA.
    HorizontalPodAutoscaler(Box<AutoscalerObject>),
    /// What is held, for how long, and how it scales.
    WakePolicy(Box<WakePolicyObject>),
    /// Which requests go to a Service, and how it scales, in the words of the KEDA HTTP add-on: an
    /// InterceptorRoute or an HTTPScaledObject.
    AddOn(Box<AddOnObject>),
    /// Bodies of answers that an InterceptorRoute gives.
    ConfigMap(Box<ConfigMapObject>),
    /// Where Envoy Gateway has its Envoys send requests: an EnvoyProxy or a BackendTrafficPolicy.
    Routing(Box<RoutingObject>),
    /// Routes of Istio's.
    VirtualService(Box<VirtualServiceObject>),
}

/// A Namespace, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceObject {
    /// Name and labels.
    pub metadata: ObjectMeta,
}

/// A HorizontalPodAutoscaler, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoscalerObject {
    /// Name, namespace and owners.
    pub metadata: ObjectMeta,
    /// The kind of the workload that it scales.
    pub target_kind: String,
    /// The name of that workload.
    pub target_name: String,
}

/// A WakePolicy, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WakePolicyObject {
    /// Name, namespace, generation and age.
    pub metadata: ObjectMeta,
    /// What it says.
    pub rules: Arc<Rules>,
}

/// An InterceptorRoute or an HTTPScaledObject.
#[derive(Clone, Debug, PartialEq)]
pub struct AddOnObject {
    /// Name, namespace, generation and age; of an HTTPScaledObject labels and annotations, which its ScaledObject
    /// has as well.
    pub metadata: ObjectMeta,
    /// What it asks for.
    pub reading: Arc<Reading>,
}

/// A ConfigMap, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigMapObject {
    /// Name, namespace, and the label by which its data may be served.
    pub metadata: ObjectMeta,
    /// Its texts, by name.
    pub data: BTreeMap<String, String>,
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
    /// `gateway.networking.k8s.io/v1`.
    GrpcRoute,
    /// `gateway.networking.k8s.io/v1`.
    Gateway,
    /// `gateway.networking.k8s.io/v1`; of the whole cluster.
    GatewayClass,
    /// `gateway.networking.k8s.io/v1`.
    ReferenceGrant,
    /// `v1`; of the whole cluster.
    Namespace,
    /// `networking.k8s.io/v1`.
    Ingress,
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `keda.sh/v1alpha1`.
    ScaledObject,
    /// `autoscaling/v2`.
    HorizontalPodAutoscaler,
    /// `wakegate.dev/v1alpha1`.
    WakePolicy,
    /// `http.keda.sh/v1beta1`.
    InterceptorRoute,
    /// `http.keda.sh/v1alpha1`.
    HttpScaledObject,
    /// `v1`; those alone that are labelled as bodies of answers.
    ConfigMap,
    /// `gateway.envoyproxy.io/v1alpha1`.
    EnvoyProxy,
    /// `gateway.envoyproxy.io/v1alpha1`.
    BackendTrafficPolicy,
    /// `networking.istio.io/v1`.
    VirtualService,
    /// `gateway.networking.k8s.io/v1`.
    ListenerSet,
}

/// Kind, namespace and name: `Service shop/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for what belongs to the whole cluster.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// What sort of thing is wrong, as it stands in an Event's reason and in metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A field or an annotation that is not understood.
    #[default]
    Invalid,
    /// A backend that cannot be held: no Service, none there, no such port.
    BackendNotHeld,
    /// A reference into another namespace that nobody there allows.
    RefNotPermitted,
    /// A route that no Gateway of ours takes.
    NotAttached,
    /// Nothing, or too much, stands behind a Service.
    WorkloadUnclear,
    /// Two objects of ours ask for different things.
    Conflicted,
    /// Someone else scales the workload.
    ScaledElsewhere,
    /// Requests that another route gets.
    Shadowed,
    /// A field that is well-formed and that a filter inside someone else's Envoy cannot put into force.
    NotInForce,
    /// The operator of the KEDA HTTP add-on still runs, and writes what is to be taken over.
    AddOnRuns,
    /// Envoy Gateway sends a route to endpoints: without one, it answers 503 by itself.
    RoutesToEndpoints,
}

/// One thing that is wrong with one object. It affects no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The object, or the file and document where it cannot be told.
    pub object: String,
    /// The object again, where it is known: who can be told by an Event.
    pub id: Option<ObjectId>,
    /// The sort.
    pub code: Code,
    /// The path of the field, such as `spec.rules[0].backendRefs[1]`; empty for the whole.
    pub field: String,
    /// What is wrong with it and what follows.
    pub reason: String,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::Service,
        Self::EndpointSlice,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::Gateway,
        Self::GatewayClass,
        Self::ReferenceGrant,
        Self::Namespace,
        Self::Ingress,
        Self::Deployment,
        Self::StatefulSet,
        Self::ScaledObject,
        Self::HorizontalPodAutoscaler,
        Self::WakePolicy,
        Self::InterceptorRoute,
        Self::HttpScaledObject,
        Self::ConfigMap,
        Self::EnvoyProxy,
        Self::BackendTrafficPolicy,
        Self::VirtualService,
        Self::ListenerSet,
    ];

    /// As it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::Gateway => "Gateway",
            Self::GatewayClass => "GatewayClass",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::Namespace => "Namespace",
            Self::Ingress => "Ingress",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ScaledObject => "ScaledObject",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::WakePolicy => "WakePolicy",
            Self::InterceptorRoute => "InterceptorRoute",
            Self::HttpScaledObject => "HTTPScaledObject",
            Self::ConfigMap => "ConfigMap",
            Self::EnvoyProxy => "EnvoyProxy",
            Self::BackendTrafficPolicy => "BackendTrafficPolicy",
            Self::VirtualService => "VirtualService",
            Self::ListenerSet => "ListenerSet",
        }
    }

    /// As it stands in a path of the API, and in RBAC.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::Gateway => "gateways",
            Self::GatewayClass => "gatewayclasses",
            Self::ReferenceGrant => "referencegrants",
            Self::Namespace => "namespaces",
            Self::Ingress => "ingresses",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::ScaledObject => "scaledobjects",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::WakePolicy => "wakepolicies",
            Self::InterceptorRoute => "interceptorroutes",
            Self::HttpScaledObject => "httpscaledobjects",
            Self::ConfigMap => "configmaps",
            Self::EnvoyProxy => "envoyproxies",
            Self::BackendTrafficPolicy => "backendtrafficpolicies",
            Self::VirtualService => "virtualservices",
            Self::ListenerSet => "listenersets",
        }
    }

    /// Its group; empty for the core's.
    pub fn group(self) -> &'static str {
        self.api_version()
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version that is read.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Service | Self::Namespace | Self::ConfigMap => "v1",
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::HttpRoute
            | Self::GrpcRoute
            | Self::Gateway
            | Self::GatewayClass
            | Self::ReferenceGrant
            | Self::ListenerSet => "gateway.networking.k8s.io/v1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::Deployment | Self::StatefulSet => "apps/v1",
            Self::ScaledObject => "keda.sh/v1alpha1",
            Self::HorizontalPodAutoscaler => "autoscaling/v2",
            Self::WakePolicy => "wakegate.dev/v1alpha1",
            Self::InterceptorRoute => "http.keda.sh/v1beta1",
            Self::HttpScaledObject => "http.keda.sh/v1alpha1",
            Self::EnvoyProxy | Self::BackendTrafficPolicy => "gateway.envoyproxy.io/v1alpha1",
            Self::VirtualService => "networking.istio.io/v1",
        }
    }

    /// The kind for a client, in a version that has these fields.
    pub(crate) fn resource(self, api_version: &str) -> ApiResource {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: self.as_str().to_owned(),
            plural: self.plural().to_owned(),
        }
    }

    /// The kind for a client, in the version that is read.
    pub(crate) fn api_resource(self) -> ApiResource {
        self.resource(self.api_version())
    }

    /// An older version with the same fields, which is read as well.
    pub fn older_api_version(self) -> Option<&'static str> {
        if self == Self::ReferenceGrant {
            Some("gateway.networking.k8s.io/v1beta1")
        } else if self == Self::VirtualService {
            Some("networking.istio.io/v1beta1")
        } else {
            None
        }
    }

    /// Whether its objects belong to the whole cluster and have no namespace.
    pub fn is_of_cluster(self) -> bool {
        matches!(self, Self::GatewayClass | Self::Namespace)
    }
}

impl Code {
    /// As it stands in an Event's reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::BackendNotHeld => "BackendNotHeld",
            Self::RefNotPermitted => "RefNotPermitted",
            Self::NotAttached => "NotAttached",
            Self::WorkloadUnclear => "WorkloadUnclear",
            Self::Conflicted => "Conflicted",
            Self::ScaledElsewhere => "ScaledElsewhere",
            Self::Shadowed => "Shadowed",
            Self::NotInForce => "NotInForce",
            Self::AddOnRuns => "AddOnRuns",
            Self::RoutesToEndpoints => "RoutesToEndpoints",
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
            Self::GrpcRoute(object) => &object.metadata,
            Self::Gateway(object) => &object.metadata,
            Self::ListenerSet(object) => &object.metadata,
            Self::GatewayClass(object) => &object.metadata,
            Self::ReferenceGrant(object) => &object.metadata,
            Self::Namespace(object) => &object.metadata,
            Self::Ingress(object) => &object.metadata,
            Self::Workload(object) => &object.metadata,
            Self::ScaledObject(object) => &object.metadata,
            Self::HorizontalPodAutoscaler(object) => &object.metadata,
            Self::WakePolicy(object) => &object.metadata,
            Self::AddOn(object) => &object.metadata,
            Self::ConfigMap(object) => &object.metadata,
            Self::Routing(object) => &object.metadata,
            Self::VirtualService(object) => &object.metadata,
        }
    }
}

impl Finding {
    /// A finding on an object: a field that is not understood, unless `with` says otherwise.
    pub fn new(object: &ObjectId, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            object: object.to_string(),
            id: Some(object.clone()),
            code: Code::Invalid,
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// A finding on something that is no object, such as a file.
    pub fn elsewhere(
        place: impl Into<String>,
        field: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            object: place.into(),
            id: None,
            code: Code::Invalid,
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// The same, of another sort.
    #[must_use]
    pub fn with(mut self, code: Code) -> Self {
        self.code = code;
        self
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return write!(f, "{} {}", self.kind.as_str(), self.name);
        }
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            id: _,
            code: _,
            field,
            reason,
        } = self;
        if field.is_empty() {
            return write!(f, "{object}: {reason}");
        }
        write!(f, "{object}: {field}: {reason}")
    }
}
