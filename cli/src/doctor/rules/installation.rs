//! Of what Wakegate itself needs.

use crate::rule::rules;

rules! {
    NO_KEDA = Error "keda-missing" at "the cluster":
        "the API server does not know KEDA's ScaledObject: nothing is scaled, to zero or from it" =>
        "install KEDA";
    NO_POLICIES = Warning "crd-missing" at "the cluster":
        "the API server does not know the kind WakePolicy" =>
        "apply its CRD: deploy/base/crds, or the chart with its CRDs";
    NO_PART = Error "part-missing" at "the cluster":
        "no Deployment is the <part>: <effect>" =>
        "install Wakegate, or let its Deployment carry the label app.kubernetes.io/name: <name>";
    PART_DOWN = Error "part-not-ready" at "status.readyReplicas":
        "the <part> has no ready replica: <effect>" =>
        "see why: `kubectl -n <namespace> describe pods -l <selector>`";
    PART_WEAK = Warning "part-partly-ready" at "status.readyReplicas":
        "<ready> of <wanted> replicas of the <part> are ready" =>
        "see why: `kubectl -n <namespace> describe pods -l <selector>`";
    VERSIONS = Warning "versions-differ" at "the image of the scaler or of the filter":
        "it is <other>, and the control plane <one>: what one of them says the other may not understand" =>
        "run one release of the control plane, the scaler and the filter";
    CERTIFICATE_ENDED = Error "certificate-not-valid" at "data[tls.crt], data[ca.crt] of a Secret of ours":
        "<what>: <effect>" =>
        "<fix>";
    CERTIFICATE_ENDS = Warning "certificate-ends-soon" at "data[tls.crt], data[ca.crt] of a Secret of ours":
        "<what>, and nothing has renewed it: then <effect>" =>
        "<fix>";
    CERTIFICATE_UNREADABLE = Error "certificate-unreadable" at "data[tls.crt], data[ca.crt] of a Secret of ours":
        "it cannot be read as certificates in PEM (<problem>): <effect>" =>
        "<fix>";
    CERTIFICATE_UNSEEN = Note "certificate-not-seen" at "the cluster":
        "whether the certificates in <secrets> are valid cannot be seen: these Secrets may not be read" =>
        "allow `get` of these, by name: nothing but tls.crt and ca.crt of them is looked at";
}
