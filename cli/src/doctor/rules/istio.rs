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
    NO_GATEWAY = Error "matches-no-gateway" at "spec.targetRefs, spec.selector":
        "<target> is not there: the filter is nowhere, and nothing is held" =>
        "name a Gateway of this namespace, or the labels of the gateway's pods";
    CONNECTION_SETTINGS = Error "connection-settings-shorter-than-hold" at
        "spec.template.metadata.annotations[proxy.istio.io/config]":
        "<setting> ends a request after <value>, and <route> holds requests for up to <hold>" =>
        "set it above <hold> there, or the hold time-out below it";
}
