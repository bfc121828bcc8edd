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
    CONNECTION_SETTINGS = Error "connection-settings-shorter-than-hold" at
        "spec.template.metadata.annotations[proxy.istio.io/config]":
        "<setting> ends a request after <value>, and <route> holds requests for up to <hold>" =>
        "set it above <hold> there, or the hold time-out below it";
}
