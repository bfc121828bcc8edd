//! Bytes to core and back: the messages of both streams, KEDA's contract, and the filter's
//! configuration. No sockets; `client` and `server` add the stubs that a daemon needs.
#![expect(
    clippy::allow_attributes,
    reason = "which lints fire in generated code depends on the features, so `expect` cannot be met"
)]

/// `wakegate.v1`: what runs between filters, control plane and scaler.
#[path = "gen/wakegate.v1.rs"]
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
pub mod v1;

/// KEDA's contract for an external scaler.
#[path = "gen/externalscaler.rs"]
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
pub mod externalscaler;
