//! A port of a Service, in the two forms that an InterceptorRoute has for it.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// In CEL: one of the two fields that name a port, and not both.
pub(super) const ONE_PORT: &str = "has(self.portName) == !has(self.port)";

/// What is wrong where that does not hold.
pub(super) const ONE_PORT_MESSAGE: &str =
    "name the port by either port or portName: set one of the two";

/// What requests of a route go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_PORT).message(ONE_PORT_MESSAGE))]
pub struct TargetRef {
    /// The name of the Service, in the route's namespace.
    #[schemars(length(min = 1))]
    pub service: String,
    /// A port of the Service, not of its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,
    /// The name of a port of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub port_name: Option<String>,
}

/// A Service that stands in for another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_PORT).message(ONE_PORT_MESSAGE))]
pub struct ServiceRef {
    /// Its name, in the route's namespace.
    #[schemars(length(min = 1))]
    pub name: String,
    /// A port of the Service, not of its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,
    /// The name of a port of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub port_name: Option<String>,
}
