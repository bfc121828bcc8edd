//! Of what scales the workloads.

use crate::rule::rules;

rules! {
    NOT_READY = Error "scaled-object-not-ready" at "status.conditions[]":
        "KEDA does not scale by it: <message>; what is at zero stays there, and its requests are held until the \
         time-out" =>
        "do what the message says";
    TWO_SCALERS = Error "scaled-twice" at "spec.scaleTargetRef":
        "<other> scales <workload> as well: each undoes what the other does" =>
        "<fix>";
    NO_AUTHENTICATION = Error "keda-authentication-missing" at "spec.triggers[].authenticationRef":
        "there is no <what>: KEDA cannot show the scaler who it is, and nothing wakes" =>
        "apply deploy/keda, or let `--keda-authentication` of the control plane name the one that is there";
    NO_SECRET = Error "keda-certificate-missing" at "spec.secretTargetRef[]":
        "there is no Secret <secret>: KEDA cannot show the scaler who it is, and nothing wakes" =>
        "let the control plane write it (`--keda-namespace`), or bring one of your own, as the page on certificates \
         says";
}
