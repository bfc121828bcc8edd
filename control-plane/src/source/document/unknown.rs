//! Fields that a kind does not have. An API server drops them, or warns who sends them; of a file nobody else says so.

use std::sync::LazyLock;

use kube::CustomResourceExt as _;
use serde_json::Value;
use wakegate_api::{
    KnownFields, UnknownField, WakePolicy,
    http_add_on::{InterceptorRoute, http_scaled_object_crd},
};

use crate::object::Kind;

static WAKE_POLICY: LazyLock<KnownFields> = LazyLock::new(|| KnownFields::of(&WakePolicy::crd()));
static INTERCEPTOR_ROUTE: LazyLock<KnownFields> =
    LazyLock::new(|| KnownFields::of(&InterceptorRoute::crd()));
static HTTP_SCALED_OBJECT: LazyLock<KnownFields> =
    LazyLock::new(|| KnownFields::of(&http_scaled_object_crd()));

/// The fields of an object that its kind does not have, where its schema is at hand.
pub(super) fn fields(kind: Kind, value: &Value) -> Vec<UnknownField> {
    let known = match kind {
        Kind::WakePolicy => &WAKE_POLICY,
        Kind::InterceptorRoute => &INTERCEPTOR_ROUTE,
        Kind::HttpScaledObject => &HTTP_SCALED_OBJECT,
        Kind::Service
        | Kind::EndpointSlice
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::Gateway
        | Kind::GatewayClass
        | Kind::ReferenceGrant
        | Kind::Namespace
        | Kind::Ingress
        | Kind::Deployment
        | Kind::StatefulSet
        | Kind::ScaledObject
        | Kind::HorizontalPodAutoscaler
        | Kind::ConfigMap
        | Kind::EnvoyProxy
        | Kind::BackendTrafficPolicy
        | Kind::VirtualService
        | Kind::ListenerSet => return Vec::new(),
    };
    known.unknown_in(value)
}
