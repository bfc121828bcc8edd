//! Of what Envoy Gateway reads.

use crate::rule::rules;

rules! {
    POLICY_REPLACES = Error "policy-replaces-filter" at "spec of an EnvoyExtensionPolicy":
        "it is for <part> and replaces <attachment>, which has the filter: the requests of <route> are neither held nor \
         counted" =>
        "<fix>";
    ROUTING_TYPE = Error "routing-type" at "spec.parentRefs[]":
        "at Gateway <gateway> its Services are routed to by endpoint: without any, Envoy Gateway writes an answer of 503 \
         in place of the route, and a request that was held gets it when it goes on" =>
        "say `routingType: Service` in a BackendTrafficPolicy for the route or the Gateway, or in the EnvoyProxy";
    NO_RETRY = Warning "no-retry" at "spec.parentRefs[]":
        "at Gateway <gateway> nothing retries: a request that goes on before the Service's address leads to the new pod \
         gets a 503" =>
        "set `retry` in a BackendTrafficPolicy, such as numRetries: 5 with the triggers connect-failure and \
         refused-stream";
    TIMEOUT = Error "timeout-shorter-than-hold" at "spec.timeout.http":
        "<value> is not longer than the <hold> for which <route> holds requests: Envoy ends them before" =>
        "set it above <hold>, or the hold time-out below it";
    IDLE_TIMEOUT = Error "idle-timeout-shorter-than-hold" at "metadata.annotations[wakegate.dev/hold-timeout]":
        "requests are held for up to <hold>, and Envoy ends a silent one after 5m: nothing says otherwise at Gateway \
         <gateway>" =>
        "set `timeout.http.streamIdleTimeout` above <hold> in a BackendTrafficPolicy for the route, or in a \
         ClientTrafficPolicy for the Gateway";
    RUNS_AFTER = Note "checked-after-hold" at "spec of a SecurityPolicy or a BackendTrafficPolicy":
        "<what> comes after the filter: requests of <route> that it refuses wake the backend first" =>
        "";
    FILTER_ORDER = Error "filter-order" at "spec.filterOrder[]":
        "it puts Wasm filters before <other>: requests of <gateway> wake workloads before it is known who sends them" =>
        "remove it; by default Wasm filters come after authentication";
    FAIL_OPEN = Warning "fail-open" at "spec.wasm[].failOpen":
        "it is not true: while the module cannot be loaded all routes answer 500, those of others too" =>
        "set `failOpen: true`";
    UNPINNED = Warning "module-not-pinned" at "spec.wasm[].code":
        "<problem>: what runs may change without a word here" =>
        "name the module's digest as `sha256`";
    NOT_ACCEPTED = Error "policy-not-accepted" at "status.ancestors[].conditions[]":
        "<controller> has not put it in force for <ancestor>: <message>" =>
        "do what the message says";
    PATCHES_OFF = Error "patch-not-programmed" at "status.ancestors[].conditions[]":
        "the clusters that it adds are not in the Envoys: <message>; the filter reaches nobody, and lets requests pass" =>
        "switch on `extensionApis.enableEnvoyPatchPolicy` in Envoy Gateway's configuration, or do what the message \
         says";
    NO_CLUSTER = Error "cluster-missing" at "spec.wasm[].config":
        "nothing that was read makes the cluster <cluster> at Gateway <gateway>: the filter does not reach the <part>" =>
        "<fix>";
}
