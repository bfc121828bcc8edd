//! A whole scaler over real loopback gRPC: workers on one side, KEDA on the other, a control plane behind.

#[cfg(test)] // for the lints: all of it is test code
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
#[path = "loopback/reports.rs"]
mod reports;
