//! Fuzz targets of everything that Wakegate reads from others, and what runs them on stable Rust.
//!
//! A [`Target`] is a function of bytes that says what is wrong, if anything is; a panic says so as well. The
//! [`Engine`] makes inputs of those that it has, by changes that keep their structure, and goes on from each that
//! was of a new kind. `cargo test` does that for a while from the inputs in `corpus`, always in the same way;
//! `just fuzz TARGET SECONDS` does it for as long as one likes, and keeps what is of a new kind.

mod chance;
mod engine;
mod mutate;
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the rules of core's tests, as they stand there"
)]
#[path = "../../core/tests/table_lookup/oracle.rs"]
mod oracle;
mod random;
mod target;
pub mod targets;

pub use self::engine::{Budget, Engine, Failure, Summary};
pub use self::mutate::Form;
pub use self::target::{Outcome, Target};
