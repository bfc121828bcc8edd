//! Why something of a client is refused, beside what every server of ours refuses.

/// No hello came, or none that can be used.
pub(crate) const HELLO: &str = "hello";

/// The client broke the protocol later on.
pub(crate) const PROTOCOL: &str = "protocol";
