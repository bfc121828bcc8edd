//! A whole scaler over real loopback gRPC: workers on one side, KEDA on the other, a control plane behind.

#[cfg(test)] // for the lints: all of it is test code
#[path = "loopback/add_on.rs"]
mod add_on;
#[cfg(test)]
#[path = "loopback/add_on_metrics.rs"]
mod add_on_metrics;
#[cfg(test)]
#[expect(dead_code, reason = "the rest is for the tests of the runtime")]
#[path = "../../runtime/tests/tls/authority.rs"]
mod authority;
#[cfg(test)]
#[path = "loopback/control_plane.rs"]
mod control_plane;
#[cfg(test)]
#[path = "loopback/harness.rs"]
mod harness;
#[cfg(test)]
#[path = "loopback/keda.rs"]
mod keda;
#[cfg(test)]
#[path = "loopback/life.rs"]
mod life;
#[cfg(test)]
#[path = "loopback/link.rs"]
mod link;
#[cfg(test)]
#[path = "loopback/replicas.rs"]
mod replicas;
#[cfg(test)]
#[path = "loopback/replicas_at_odds.rs"]
mod replicas_at_odds;
#[cfg(test)]
#[path = "loopback/reports.rs"]
mod reports;
#[cfg(test)]
#[path = "loopback/tls.rs"]
mod tls;
#[cfg(test)]
#[path = "loopback/trio.rs"]
mod trio;
#[cfg(test)]
#[path = "loopback/worker.rs"]
mod worker;
