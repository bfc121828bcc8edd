//! Of InterceptorRoutes and HTTPScaledObjects. `conditionWait` is what an HTTPScaledObject calls `readiness`.

use crate::rule::rules;

rules! {
    UNREADABLE = Problem "unreadable" at "any, of any object":
        "it cannot be read: <reason>" =>
        "mend it; until then it has no effect here";
    UNKNOWN_FIELD = Problem "unknown-field" at "any":
        "the kind has no such field: it has no effect" =>
        "write what was meant<nearest?>, or remove it";
    NOT_IN_FORCE = Problem "not-in-force" at "any":
        "it is not in force: <why>" =>
        "remove it";
    NO_SERVICE = Problem "no-service" at "spec.target, spec.scaleTargetRef.service":
        "there is no Service <service>: its requests are not held" =>
        "create the Service, or name the one that is there";
    NO_PORT = Problem "no-port" at "spec.target, spec.scaleTargetRef":
        "Service <service> has no port <port>; it has <ports>" =>
        "name a port of the Service, not of its pods";
    EXTERNAL_TARGET = Problem "external-target" at "spec.target.service, spec.scaleTargetRef.service":
        "Service <service> is an ExternalName, which has no endpoints: its requests are not held" =>
        "name the Service of the pods";
    FALLBACK_SERVICE = Problem "fallback-service" at "spec.coldStart.fallback, spec.coldStartTimeoutFailoverRef":
        "it is not in force: the filter holds requests and does not choose where they go; one that was held for the \
         whole time gets a 504" =>
        "give the route a second backend in the gateway, or have clients try again";
    RESPONSE_HEADER = Problem "response-header-timeout" at "spec.timeouts.responseHeader":
        "it is not in force: once a request goes on, Envoy's own time-outs count" =>
        "set <value> on the route in the gateway, as in rules[].timeouts.backendRequest of an HTTPRoute";
    SESSIONS = Problem "session-persistence" at "spec.sessionPersistence":
        "it is not in force: Envoy chooses the endpoint of each request" =>
        "set session persistence in the gateway, as in rules[].sessionPersistence of an HTTPRoute";
    CONFIG_MAP = Problem "no-config-map" at "bodyFromConfigMap":
        "there is no ConfigMap <config-map> with the label http.keda.sh/response-body: \"true\"" =>
        "create it, or put the label on it";
    CONFIG_MAP_KEY = Problem "no-config-map-key" at "bodyFromConfigMap.key":
        "ConfigMap <config-map> has no entry <key>" =>
        "name an entry that it has: <keys>";
    SCALED_ELSEWHERE = Problem "scaled-elsewhere" at "the whole HTTPScaledObject":
        "ScaledObject <scaled-object> scales <workload> already and is not of this object: none is written for it" =>
        "remove one of the two, or say httpscaledobject.keda.sh/skip-scaledobject-creation: \"true\" and keep that \
         ScaledObject with a trigger for this object";
    READINESS_ENV = Change "readiness-from-env" at "spec.timeouts.readiness, spec.timeouts.conditionWait":
        "it is not set: there <env> of the interceptor makes it <value>, here a hold ends after 60 s" =>
        "set it to <value>";
    REQUEST_ENV = Change "request-from-env" at "spec.timeouts.request; an HTTPScaledObject has no such field":
        "there <env> of the interceptor gives a request <value>; here it may take as long as Envoy allows" =>
        "<way>";
    PENDING_ENV = Change "max-pending-from-env" at "spec.coldStart.maxPendingRequests; an HTTPScaledObject has no such \
                                                   field":
        "there <env> of the interceptor has <value> held in each interceptor; here 1,000 for each route in each worker" =>
        "<way>";
    SAME_REQUESTS_TIE = Change "same-requests-tie" at "spec.rules, spec.hosts":
        "<other> is for the same requests and equally old as far as is known: here <here> gets them, there <there> \
         does" =>
        "remove the requests from one of the two";
    FINALIZER = Change "finalizer" at "metadata.finalizers":
        "the add-on's operator takes it away when the object is deleted; without the operator a deletion never ends, \
         and with it that of its namespace or CRD" =>
        "once the operator is stopped, remove it from this object";
    HOLD_ENDS = Note "hold-ends" at "spec.timeouts.readiness, spec.timeouts.conditionWait":
        "it is not set: a hold ends after 60 s with a 504; there it never ends" =>
        "";
    HOLD_HOUR = Note "hold-one-hour" at "spec.timeouts.readiness":
        "0s: a hold ends after 1 h; there it never ends" =>
        "";
    HOLD_TOO_LONG = Note "hold-too-long" at "spec.timeouts.readiness, spec.timeouts.conditionWait":
        "<value> is more than 1 h, after which every hold ends" =>
        "";
    LONG_HOLD = Note "long-hold" at "spec.timeouts.readiness, spec.timeouts.conditionWait":
        "Envoy ends a stream on which nothing moves after stream_idle_timeout, 5 minutes by default: sooner than this \
         hold" =>
        "where the filter is attached, set stream_idle_timeout above <hold>";
    PENDING_PER_WORKER = Note "max-pending-per-worker" at "spec.coldStart.maxPendingRequests":
        "<value> counts for each worker thread of each Envoy; there for each interceptor" =>
        "";
    PENDING_OVERRULED = Note "target-pending-overruled" at "spec.targetPendingRequests":
        "scalingMetric counts before it, here as there" =>
        "remove it";
    HOST_CASE = Note "host-case" at "spec.rules[].hosts, spec.hosts":
        "<host> is compared without regard to case, as HTTP has it; there only this spelling is met" =>
        "";
    HOST_PATTERN = Note "host-pattern" at "spec.rules[].hosts, spec.hosts":
        "no host is like that: no request has it, here as there" =>
        "remove it; a * stands alone or in front of a name, as in *.example.com";
    NO_RULES = Note "no-rules" at "spec.rules":
        "without a rule it is for no requests, here as there" =>
        "";
    FALLS_THROUGH = Note "falls-through" at "spec.rules[].headers, spec.headers":
        "a request without these headers goes to the next route that is for it, by a shorter path too; there only \
         routes of the same path, and those of less exact hosts, are tried, then 404" =>
        "";
    WINDOW = Note "window-below-granularity" at "spec.scalingMetric.requestRate.window":
        "<window> is shorter than the granularity and counts as <granularity>" =>
        "";
    GRANULARITY = Note "granularity-below-second" at "spec.scalingMetric.requestRate.granularity":
        "<granularity> is taken as it is; there less than a second ends the scaler with a division by zero" =>
        "";
    SAME_REQUESTS = Note "same-requests" at "spec.rules, spec.hosts":
        "<other> is older and for the same requests: it gets them, here as there" =>
        "";
    ROUTE_ELSEWHERE = Note "route-elsewhere" at "spec.rules, spec.hosts":
        "<route> is for the same requests and leads to <services>: it comes first, and they are not held for this \
         object" =>
        "let that route lead to <service>, where this is not meant";
    REPLACED = Note "replaced" at "the whole HTTPScaledObject":
        "the InterceptorRoute of its name has its requests, here as there" =>
        "";
    NO_SCALED_OBJECT = Note "no-scaled-object" at "the whole object":
        "no ScaledObject with a trigger for it is among what was read: nothing scales its workload, here as there" =>
        "write one, whose trigger has <key>: <name>";
    SERVICE_NOT_CHECKED = Note "service-not-checked" at "spec.target, spec.scaleTargetRef.service":
        "no Service of namespace <namespace> is among what was read: whether <service> is there and has port <port> was \
         not looked at" =>
        "";
}
