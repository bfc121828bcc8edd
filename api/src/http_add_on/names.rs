//! Names that the add-on gives to annotations, labels, finalizers and the metadata of triggers.

/// On an HTTPScaledObject: no ScaledObject is written for it, and one that was is deleted.
pub const SKIP_SCALED_OBJECT: &str = "httpscaledobject.keda.sh/skip-scaledobject-creation";

/// On an HTTPScaledObject: its ScaledObject stays when it goes, as for a move to InterceptorRoute.
pub const ORPHAN_SCALED_OBJECT: &str = "httpscaledobject.keda.sh/orphan-scaledobject";

/// The one value by which both annotations say yes.
pub const YES: &str = "true";

/// What the add-on's operator puts on an HTTPScaledObject, and takes away before that can go.
pub const FINALIZER: &str = "httpscaledobject.http.keda.sh";

/// The label that a ConfigMap needs, with the value [`YES`], for its data to become bodies of answers.
pub const RESPONSE_BODY_LABEL: &str = "http.keda.sh/response-body";

/// In a trigger's metadata: the InterceptorRoute that it is for. Counts before the other two.
pub const INTERCEPTOR_ROUTE_KEY: &str = "interceptorRoute";

/// In a trigger's metadata: the HTTPScaledObject that it is for.
pub const HTTP_SCALED_OBJECT_KEY: &str = "httpScaledObject";

/// In a trigger's metadata: the trigger is for the add-on's own interceptor, with this target.
pub const INTERCEPTOR_TARGET_KEY: &str = "interceptorTargetPendingRequests";

/// The type of the one condition that both kinds have.
pub const READY: &str = "Ready";

/// The reason of a [`READY`] that is true.
pub const RECONCILED: &str = "Reconciled";

/// The reason of a [`READY`] that is false: the ScaledObject could not be written.
pub const CREATE_ERROR: &str = "CreateError";
