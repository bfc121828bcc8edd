//! Of routes that lead to the add-on's interceptor, and of what lets them.

use crate::rule::rules;

rules! {
    NO_ENVOY = Problem "no-envoy" at "spec.ingressClassName":
        "<class> is no Envoy as far as its name tells: the filter cannot run there, and nothing would hold its \
         requests" =>
        "serve it by a gateway that is an Envoy";
    BACKEND = Change "backend" at "spec.rules[].backendRefs[]":
        "it leads to the interceptor, <interceptor>" =>
        "let it lead to <target>";
    BACKEND_SPLIT = Change "backend-split" at "spec.rules[].backendRefs[]":
        "it leads to the interceptor, <interceptor>, which sends its requests to several Services" =>
        "write a rule for each: <targets>";
    BACKEND_NOBODY = Change "backend-for-nobody" at "spec.rules[].backendRefs[]":
        "it leads to the interceptor, <interceptor>, and no object is for its requests: they get a 404 there" =>
        "let it lead to the Service that is meant, or remove the rule";
    BACKEND_GRANT = Change "backend-needs-grant" at "spec.rules[].backendRefs[]":
        "<target> is in another namespace, and no ReferenceGrant there lets <kind>s of <namespace> lead to it" =>
        "write one into <target-namespace>, from <kind> of <namespace> to Service <service>";
    INGRESS_BACKEND = Change "ingress-backend" at "spec.rules[].http.paths[].backend.service":
        "it leads to the interceptor by <interceptor>" =>
        "let it lead to <target>";
    INGRESS_MOVES = Change "ingress-in-other-namespace" at "spec.rules[].http.paths[].backend.service":
        "it leads to the interceptor, <interceptor>, and an Ingress cannot lead to <target> in another namespace" =>
        "make it anew in <target-namespace>, with the Secrets of its TLS, and remove it here";
    OTHER_ROUTE = Change "other-route" at "spec of a VirtualService or an HTTPProxy":
        "it leads to the interceptor, <interceptor>" =>
        "let it lead to the Service of the object that is for its requests";
    HOST_REWRITTEN = Change "host-rewritten" at "filters of a rule, annotations of an Ingress":
        "requests reach the interceptor with the host <host>; the filter sees the one that the client sent" =>
        "add the hosts that clients send, <hosts>, to <object>; afterwards the rewrite may go unless the application \
         needs it";
    PATH_REWRITTEN = Change "path-rewritten" at "filters of a rule, annotations of an Ingress":
        "requests reach the interceptor with another path than the client sent, and that one is what the filter sees" =>
        "see that the paths of the objects are those that clients send";
    EXTERNAL_NAME = Note "external-name" at "spec.externalName":
        "it stands for the interceptor, <interceptor>" =>
        "remove it once no route leads to it";
    GRANT = Note "grant" at "spec.to":
        "it lets routes lead to the interceptor" =>
        "remove it once none does";
}
