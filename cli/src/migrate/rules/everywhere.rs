//! Of all routes, whatever their objects say.

use crate::rule::rules;

rules! {
    UNMATCHED = Note "unmatched" at "all routes":
        "a request that no object is for goes where Envoy's own routes lead; there it gets a 404" =>
        "";
    ACTIVITY = Note "activity" at "all routes":
        "every start of a request wakes its workload, whatever the metric; there one between two looks of the scaler, \
         or one that is held under requestRate, may go unseen" =>
        "";
    HELD_LIMIT = Note "held-limit" at "all routes":
        "without maxPendingRequests 1,000 requests are held for each route in each worker, and a 503 answers what is \
         beyond; there without limit" =>
        "set spec.coldStart.maxPendingRequests on an InterceptorRoute where more are expected";
    HEALTH_CHECKERS = Note "health-checkers" at "all routes":
        "requests of kube-probe/, GoogleHC/ and ELB-HealthChecker/ wake nothing and are not counted" =>
        "";
    ERRORS = Note "errors" at "all routes":
        "the filter's own answers are plain text, JSON or a gRPC status, as the client asks; there always plain text" =>
        "";
    FORWARDED = Note "forwarded-headers" at "all routes":
        "X-Forwarded-For, -Host and -Proto are what Envoy is set to make them" =>
        "";
    METRIC_NAMES = Note "metric-names" at "all routes":
        "the add-on's metrics are there only with --http-add-on-metrics of Wakegate's scaler, and \
         interceptor_request_count_total then has no labels code and method" =>
        "look at dashboards and alerts that use them; Envoy's own metrics have codes";
    RESPONSE_TIME = Note "response-time" at "all routes":
        "there a backend has 300 s to begin its answer, or what the interceptor's environment says; here Envoy's own \
         time-out of the route counts, 15 s in a plain Envoy" =>
        "set the time-outs of the routes in the gateway";
}
