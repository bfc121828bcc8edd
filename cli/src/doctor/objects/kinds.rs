//! The kinds that are looked at.

use crate::source::Resource;

const fn kind(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    versions: &'static [&'static str],
) -> Resource {
    Resource {
        kind,
        group,
        versions,
        plural,
        is_namespaced: true,
    }
}

const fn of_cluster(resource: Resource) -> Resource {
    Resource {
        is_namespaced: false,
        ..resource
    }
}

macro_rules! kinds {
    ($($name:ident = $value:expr;)+) => {
        $(pub(crate) const $name: Resource = $value;)+
        /// All of them, in the order in which they are read.
        pub const KINDS: &[Resource] = &[$($name),+];
    };
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io";
const V1: &[&str] = &["v1"];
const V1ALPHA1: &[&str] = &["v1alpha1"];

/// Where Istio's settings for the whole mesh are, unless its owner says otherwise: namespace and name of a ConfigMap.
pub(crate) const MESH: (&str, &str) = ("istio-system", "istio");

kinds! {
    GATEWAY_CLASS = of_cluster(kind(GATEWAY_API, "GatewayClass", "gatewayclasses", &["v1", "v1beta1"]));
    GATEWAY = kind(GATEWAY_API, "Gateway", "gateways", &["v1", "v1beta1"]);
    HTTP_ROUTE = kind(GATEWAY_API, "HTTPRoute", "httproutes", &["v1", "v1beta1"]);
    GRPC_ROUTE = kind(GATEWAY_API, "GRPCRoute", "grpcroutes", V1);
    LISTENER_SET = kind(GATEWAY_API, "ListenerSet", "listenersets", V1);
    INGRESS = kind("networking.k8s.io", "Ingress", "ingresses", V1);
    INGRESS_CLASS = of_cluster(kind("networking.k8s.io", "IngressClass", "ingressclasses", V1));
    SERVICE = kind("", "Service", "services", V1);
    SECRET = kind("", "Secret", "secrets", V1);
    DEPLOYMENT = kind("apps", "Deployment", "deployments", V1);
    AUTOSCALER = kind("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["v2", "v1"]);
    WAKE_POLICY = kind("wakegate.dev", "WakePolicy", "wakepolicies", V1ALPHA1);
    INTERCEPTOR_ROUTE = kind("http.keda.sh", "InterceptorRoute", "interceptorroutes", &["v1beta1"]);
    HTTP_SCALED_OBJECT = kind("http.keda.sh", "HTTPScaledObject", "httpscaledobjects", V1ALPHA1);
    SCALED_OBJECT = kind("keda.sh", "ScaledObject", "scaledobjects", V1ALPHA1);
    TRIGGER_AUTHENTICATION = kind("keda.sh", "TriggerAuthentication", "triggerauthentications", V1ALPHA1);
    CLUSTER_TRIGGER_AUTHENTICATION =
        of_cluster(kind("keda.sh", "ClusterTriggerAuthentication", "clustertriggerauthentications", V1ALPHA1));
    EXTENSION_POLICY = kind(ENVOY_GATEWAY, "EnvoyExtensionPolicy", "envoyextensionpolicies", V1ALPHA1);
    PATCH_POLICY = kind(ENVOY_GATEWAY, "EnvoyPatchPolicy", "envoypatchpolicies", V1ALPHA1);
    ENVOY_PROXY = kind(ENVOY_GATEWAY, "EnvoyProxy", "envoyproxies", V1ALPHA1);
    CLIENT_POLICY = kind(ENVOY_GATEWAY, "ClientTrafficPolicy", "clienttrafficpolicies", V1ALPHA1);
    BACKEND_POLICY = kind(ENVOY_GATEWAY, "BackendTrafficPolicy", "backendtrafficpolicies", V1ALPHA1);
    SECURITY_POLICY = kind(ENVOY_GATEWAY, "SecurityPolicy", "securitypolicies", V1ALPHA1);
    WASM_PLUGIN = kind("extensions.istio.io", "WasmPlugin", "wasmplugins", V1ALPHA1);
    ENVOY_FILTER = kind("networking.istio.io", "EnvoyFilter", "envoyfilters", &["v1alpha3"]);
    VIRTUAL_SERVICE =
        kind("networking.istio.io", "VirtualService", "virtualservices", &["v1", "v1beta1", "v1alpha3"]);
    DESTINATION_RULE =
        kind("networking.istio.io", "DestinationRule", "destinationrules", &["v1", "v1beta1", "v1alpha3"]);
    CONFIG_MAP = kind("", "ConfigMap", "configmaps", V1);
}
