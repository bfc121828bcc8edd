//! The servers over a real loopback channel, fed by a real directory.

#[path = "loopback/eds.rs"]
mod eds;
#[path = "loopback/harness.rs"]
mod harness;
#[path = "loopback/push.rs"]
mod push;
#[path = "loopback/watching.rs"]
mod watching;
