//! The objects of the KEDA HTTP add-on: InterceptorRoute and HTTPScaledObject, up to its 1.0.
//!
//! The types take every object that the add-on's own schemas take, and the CRDs made of them refuse what
//! those refuse. Both kinds are read into the same [`Reading`], so that whoever acts on them has one path.
//! That reading says what is wrong and what cannot be in force, and drops nothing in silence.

mod cold_start;
mod conditions;
mod http_scaled_object;
mod interceptor_route;
mod names;
mod null;
mod reading;
mod routing_rule;
mod scaling_metric;
mod service;
mod session_persistence;
mod static_response;

pub use self::cold_start::{ColdStartFallback, ColdStartPlaceholder, ColdStartSpec};
pub use self::http_scaled_object::{
    ColdStartTimeoutFailoverRef, HttpScaledObject, HttpScaledObjectSpec, HttpScaledObjectStatus,
    HttpTimeouts, Replicas, ScaleTargetRef, http_scaled_object_crd, orphans_scaled_object,
    skips_scaled_object,
};
pub use self::interceptor_route::{
    InterceptorRoute, InterceptorRouteSpec, InterceptorRouteStatus, InterceptorRouteTimeouts,
};
pub use self::names::*;
pub use self::reading::*;
pub use self::routing_rule::{HeaderMatch, PathMatch, RoutingRule};
pub use self::scaling_metric::{
    ConcurrencyTarget, HttpConcurrencyMetric, HttpRateMetric, HttpScalingMetric, RequestRateTarget,
    ScalingMetric,
};
pub use self::service::{ServiceRef, TargetRef};
pub use self::session_persistence::{SessionCookie, SessionPersistence};
pub use self::static_response::{ConfigMapKeyRef, StaticResponse, StaticRoute};
