//! Of what Istio reads.

use crate::rule::rules;

rules! {
    BEFORE_AUTHENTICATION = Error "before-authentication" at "spec.phase, spec.configPatches[].patch.operation":
        "<value> puts the filter before authentication: requests wake workloads before it is known who sends them" =>
        "<fix>";
    BEFORE_AUTHORIZATION = Warning "before-authorization" at "spec.phase":
        "AUTHZ puts the filter before authorization: requests that are refused wake workloads first" =>
        "leave `phase` out: the filter is then next to the router";
    FAIL_CLOSE = Warning "fail-close" at "spec.failStrategy":
        "<value>: while the module cannot be loaded every request to the gateway is refused, those of others too" =>
        "set it to FAIL_OPEN, or to FAIL_RELOAD where Istio has it";
    PLUGIN_UNPINNED = Warning "plugin-not-pinned" at "spec.url, spec.sha256":
        "<problem>: what runs may change without a word here" =>
        "name the module's digest as `sha256`";
    SERVICE_MISSING = Error "service-missing" at "the configuration of an attachment":
        "there is no Service <service> with a port <port>, and so no cluster of that name: the filter does not reach the \
         <part>" =>
        "name the Service and the port as they are";
    NOT_GRPC = Warning "service-port-not-grpc" at "spec.ports[]":
        "port <port> does not say that it speaks gRPC: Istio uses HTTP/1.1, and the filter does not reach the <part>, unless \
         a DestinationRule says otherwise" =>
        "call the port grpc, or say `appProtocol: grpc`";
    NOT_EXPORTED = Error "service-not-exported" at "metadata.annotations[networking.istio.io/exportTo]":
        "it is not for namespace <namespace>: the gateways there have no cluster for it, and the filter does not reach the \
         <part>" =>
        "add that namespace";
    NO_TLS = Error "no-tls-to-daemon" at "spec.trafficPolicy of a DestinationRule":
        "the <part> wants TLS with the filter's certificate, and <problem>: the filter does not reach it" =>
        "set `tls.mode: MUTUAL` with the certificate in wakegate-filter-tls, as envoy-config/istio/destination-rules.yaml does, \
         in the gateway's namespace";
    OUTLIERS_OF_PART = Warning "outlier-detection-of-daemon" at "spec.trafficPolicy of a DestinationRule":
        "`outlierDetection` keeps the filter from replicas of the <part> that failed some times in a row, as in a restart, when \
         they are up again" =>
        "take it out for that port";
    OUTLIERS_OF_BACKEND = Warning "outlier-detection-of-backend" at "spec.trafficPolicy of a DestinationRule":
        "`outlierDetection` is for Service <service> too: the filter asks a new pod until it answers, and each refusal counts, so \
         the pod may be taken out just when the held requests of <route> go on, which then get a 503" =>
        "take it out for that Service, or have it count 20 failures and more (`consecutive5xxErrors`)";
    CONNECTION_SETTINGS = Error "connection-settings-shorter-than-hold" at
        "spec.template.metadata.annotations[proxy.istio.io/config], data.mesh of Istio's ConfigMap, spec.configPatches[]":
        "<setting> ends a request after <value>, and <route> holds requests for up to <hold>" =>
        "set it above <hold> there, or the hold time-out below it";
}
