//! Of the routes that are Wakegate's.

use crate::rule::rules;

rules! {
    NOT_ATTACHED = Error "not-attached" at "spec.parentRefs[]":
        "nothing puts the filter into the Envoys of Gateway <gateway>: requests at zero get a 503, and wake nothing" =>
        "attach it to that Gateway: <how>";
    NO_PARENT = Error "gateway-missing" at "spec.parentRefs[]":
        "there is no <gateway>: no Envoy has the route" =>
        "name one that is there";
    INGRESS_NOT_ENVOY = Error "ingress-class-without-envoy" at "spec.ingressClassName":
        "its class <class> is that of <controller>, which is no Envoy: the filter is not in its way, and requests at zero \
         fail and wake nothing" =>
        "give it a class whose Envoys have the filter, or take the annotations of Wakegate away";
    INGRESS_NOT_ATTACHED = Error "ingress-not-attached" at "spec.ingressClassName":
        "nothing puts the filter into the Envoys of Istio's ingress gateway for the class <class>: requests at zero get a \
         503, and wake nothing" =>
        "<how>";
    INGRESS_NOT_SEEN = Note "ingress-not-seen" at "spec.ingressClassName":
        "whether the filter is in the way of the class <class> cannot be seen: <why>" =>
        "";
    OF_MESH = Error "virtual-service-of-mesh" at "spec.gateways":
        "it names no gateway but the mesh, whose sidecars have no filter: nothing is held" =>
        "name an ingress gateway that has the filter, or take the annotations of Wakegate away";
    VIRTUAL_SERVICE_NOT_ATTACHED = Error "virtual-service-not-attached" at "spec.gateways":
        "nothing puts the filter into the Envoys of an ingress gateway of Istio's: requests at zero get a 503, and wake \
         nothing" =>
        "attach it to the gateway's pods by their labels: a WasmPlugin in their namespace";
    ATTACHMENT_NOT_SEEN = Note "attachment-not-seen" at "spec.parentRefs[]":
        "whether the filter is in the Envoys of Gateway <gateway> cannot be seen: neither Envoy Gateway nor Istio runs \
         them" =>
        "";
    ATTACHED_TWICE = Warning "attached-twice" at "the second attachment":
        "the filter is in the Envoys of Gateway <gateway> already, by <other>: each request is counted, and may be \
         held, twice" =>
        "remove one of them";
    NO_GATEWAY = Error "matches-no-gateway" at "spec of an attachment":
        "<target> is not there: the filter is nowhere, and nothing is held" =>
        "name a Gateway of this namespace, or the labels of the gateway's pods";
    NO_CONFIG = Error "no-filter-config" at "the configuration of an attachment":
        "it does not name <missing>: the filter refuses the configuration, and holds nothing" =>
        "name the clusters of the control plane and the scaler, as the page on operations says under \"The filter's \
         configuration\"";
    ANNOTATION = Warning "annotation" at "metadata.annotations[wakegate.dev/…]":
        "it has no effect: <problem>" =>
        "correct it, or remove it";
    LONG_HOLD = Note "long-hold" at "metadata.annotations[wakegate.dev/hold-timeout]":
        "requests are held for up to <hold>: load balancers in front end a silent request earlier unless they are told \
         (an Application Load Balancer of AWS after 60 s, one of Azure after 4 min)" =>
        "see that the idle time-out of what is in front is longer";
}
