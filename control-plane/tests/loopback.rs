//! The servers over a real loopback channel, fed by a real directory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "loopback/acks.rs"]
mod acks;
#[expect(dead_code, reason = "the rest is for the tests of the runtime")]
#[path = "../../runtime/tests/tls/authority.rs"]
mod authority;
#[path = "loopback/eds.rs"]
mod eds;
#[path = "loopback/harness.rs"]
mod harness;
#[path = "loopback/peers.rs"]
mod peers;
#[path = "loopback/push.rs"]
mod push;
#[path = "loopback/spread.rs"]
mod spread;
#[path = "loopback/tls.rs"]
mod tls;
#[path = "loopback/watching.rs"]
mod watching;
