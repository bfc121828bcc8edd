//! Of ScaledObjects.

use crate::rule::rules;

rules! {
    NO_OBJECT = Problem "trigger-without-object" at "spec.triggers[].metadata":
        "there is no <kind> <name> in its namespace: KEDA gets an error for the trigger, here as there" =>
        "name one that is there, or remove the trigger";
    SCALER_ADDRESS = Change "scaler-address" at "spec.triggers[].metadata.scalerAddress":
        "<address> is not Wakegate's scaler; the add-on's hears nothing of requests that do not pass its interceptor" =>
        "set it to <scaler>, once the operator is stopped";
    TRIGGER_TLS = Change "trigger-tls" at "spec.triggers[].authenticationRef, spec.triggers[].metadata":
        "Wakegate's scaler has no TLS, and asks nobody who they are" =>
        "remove it with the change of scalerAddress";
    FALLBACK_ZERO = Change "fallback-to-zero" at "spec.fallback.replicas":
        "0: while nobody can tell how many requests there are, Wakegate's scaler answers UNAVAILABLE, and KEDA would \
         take the pods away" =>
        "remove spec.fallback, or set 1 or more";
    TAKEN_OVER = Note "taken-over" at "the whole ScaledObject":
        "the add-on's operator wrote it for <owner>: Wakegate takes it over once the operator is stopped, with its \
         scalerAddress" =>
        "";
    POLLED = Note "polled-trigger" at "spec.triggers[].type":
        "external: KEDA learns of a request only when it asks, every <interval> s" =>
        "set it to external-push, and a request wakes at once";
    OF_INTERCEPTOR = Note "of-the-interceptor" at "the whole ScaledObject":
        "it scales the add-on's interceptor" =>
        "remove it with the interceptor";
}
