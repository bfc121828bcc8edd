//! Which routes are ours to serve.

use std::collections::BTreeSet;

/// Which routes are ours to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// The names of the GatewayClasses whose Gateways we serve; none is every class.
    pub gateway_classes: Option<BTreeSet<String>>,
    /// Whether the parents of a route are looked at.
    pub parents: Parents,
}

/// Whether the parents of a route are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parents {
    /// A route of no Gateway that we serve is not ours.
    Checked,
    /// The same, once there is any Gateway. Without one, a route belongs to the Gateways that it names: who
    /// runs an Envoy by hand has none.
    #[default]
    IfAnyGateway,
}
