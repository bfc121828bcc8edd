//! The end-to-end harness: the real programs on real sockets, and what a test needs to drive and
//! watch them. It knows Wakegate from outside only: flags, files, ports and protocols.

mod app;
pub mod autoscaler;
mod background;
pub mod client;
mod daemon;
mod envoy;
mod eventually;
mod front;
pub mod kube;
mod manifests;
mod peer;
pub mod process;
pub mod programs;
mod registry;
mod relay;
pub mod resources;
pub mod sample;
mod stack;
pub mod stats;
pub mod tls;
mod xds;

pub use app::{App, AppCommand};
pub use background::Background;
pub use daemon::{Addresses, Daemon, Security};
pub use envoy::{
    Admin, EndpointsFrom, Envoy, EnvoyConfig, EnvoyRoute, EnvoyTls, FilterConfig, Module, Samples,
    VirtualHost, samples,
};
pub use eventually::{eventually, eventually_is, throughout, until};
pub use front::Front;
pub use manifests::{Manifests, NAMESPACE, SERVICE_PORT, Service};
pub use peer::{Peer, table};
pub use process::{Process, free_address};
pub use registry::Registry;
pub use relay::{Conduct, Relay};
pub use stack::{Stack, StackBuilder};
pub use xds::XdsServer;
