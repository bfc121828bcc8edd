//! TLS over real sockets: who gets through, who does not, and what happens when certificates are replaced.

#[cfg(test)] // for the lints: all of it is test code
#[path = "tls/authority.rs"]
mod authority;
#[cfg(test)]
#[path = "tls/client.rs"]
mod client;
#[cfg(test)]
#[path = "tls/harness.rs"]
mod harness;
#[cfg(test)]
#[path = "tls/identities.rs"]
mod identities;
#[cfg(test)]
#[path = "tls/logs.rs"]
mod logs;
#[cfg(test)]
#[path = "tls/refused.rs"]
mod refused;
#[cfg(test)]
#[path = "tls/replaced.rs"]
mod replaced;
