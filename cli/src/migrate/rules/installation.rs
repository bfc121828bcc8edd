//! Of the add-on's own Deployments, and of what their environment says for all routes.

use crate::rule::rules;

rules! {
    OPERATOR = Change "operator-runs" at "spec.replicas":
        "the add-on's operator runs, and writes ScaledObjects that lead KEDA to the add-on's scaler" =>
        "scale it to zero once the routes lead to their own Services";
    INTERCEPTOR = Change "interceptor-runs" at "spec.replicas":
        "the add-on's interceptor runs" =>
        "remove it once no route leads to it";
    SCALER = Change "scaler-runs" at "spec.replicas":
        "the add-on's scaler runs" =>
        "remove it once no ScaledObject names it";
    WATCH_NAMESPACE = Change "watch-namespace" at "env of the operator and the interceptor":
        "<value>: it looks at this namespace alone" =>
        "give Wakegate's control plane --namespace <value>, and the namespaces of its Gateways";
    TLS = Change "backend-tls" at "env of the interceptor":
        "<value>: what comes by TLS goes on by TLS" =>
        "have the gateway speak TLS to these Services, as by a BackendTLSPolicy";
    RESPONSE_HEADER_ENV = Change "response-header-from-env" at "env of the interceptor":
        "<value> is the time in which every backend must begin its answer; here Envoy's own time-outs count" =>
        "set it on the routes in the gateway, as in rules[].timeouts.backendRequest of an HTTPRoute";
    ENV_FROM = Note "env-from-elsewhere" at "env and envFrom of the interceptor":
        "<what> is not in the Deployment itself: what it says for all routes was not looked at" =>
        "look whether it sets a time-out or a limit, and set that on the objects";
    COLD_START_HEADER = Note "cold-start-header" at "env of the interceptor":
        "<value>: here the answers of these routes have X-KEDA-HTTP-Cold-Start in any case" =>
        "take it away in the gateway, where it disturbs";
    ENV_OF_ENVOY = Note "env-of-envoy" at "env of the interceptor":
        "<value>: here it is Envoy's business" =>
        "<way>";
    NOT_SEEN = Note "add-on-not-seen" at "the whole report":
        "no Deployment of the add-on's interceptor is among what was read: what its environment says for all routes, \
         such as KEDA_HTTP_READINESS_TIMEOUT, was not looked at" =>
        "read its namespace as well, where it still runs";
}
