//! Bytes to core and back: the messages of both streams, KEDA's contract, and the filter's
//! configuration. No sockets; `client` and `server` add the stubs that a daemon needs.

/// `wakegate.v1`: what runs between filters, control plane and scaler.
#[path = "gen/wakegate.v1.rs"]
#[rustfmt::skip]
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated"
)]
pub mod v1;

/// KEDA's contract for an external scaler.
#[path = "gen/externalscaler.rs"]
#[rustfmt::skip]
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated"
)]
pub mod externalscaler;

mod demand;
mod error;
mod grpc_service;
mod ledgers;
mod plugin;
mod routes;
mod workload;

pub use prost::Message;
pub use prost::bytes::Bytes;

pub use self::demand::decode_report;
pub use self::error::DecodeError;
pub use self::grpc_service::grpc_service;
pub use self::ledgers::{Pages, Tables, decode_relayed, encode_page, encode_relayed, encode_table};
pub use self::plugin::{ConfigError, PluginConfig};
pub use self::routes::{AssembleError, Assembler};
