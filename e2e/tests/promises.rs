//! What Wakegate promises, one file each, on a real Envoy and real processes.
//!
//! All are one program: linking twenty takes longer than running them, and those that wait for a
//! minute do so beside the others.

// Tests begin by name: the one that takes a minute must not be the last.
#[path = "stays_active.rs"]
mod a_minute_stays_active;
mod answers_when_it_cannot;
mod bad_manifests;
mod bodies_arrive_intact;
mod bytes_not_utf8;
mod client_leaves;
mod configuration_changes_while_held;
mod control_planes;
mod daemons;
mod envoy_endpoints_late;
mod envoy_restarted;
mod envoy_without_filter;
mod fetches_the_module;
mod health_checks_wake_nothing;
mod holds_in_order;
mod hostile_clients;
mod http_add_on;
mod istio;
mod mass_endings;
mod needs_no_root;
mod no_control_plane;
mod operations_page;
mod own_xds;
mod plain_envoy;
mod rolling_update;
mod routes_as_envoy_does;
mod routes_change_while_held;
mod splits_traffic;
mod streams_end_badly;
mod survives_control_plane;
mod survives_keda;
mod survives_random_bytes;
mod survives_scaler;
mod survives_scaler_replica;
mod tls;
mod triggers_name_workloads;
mod vm_dies;
mod wakes_from_zero;
mod wrong_configuration;
mod zero_and_back;

use std::collections::BTreeSet;
use std::fs;

/// A file without its line above would never run.
#[test]
fn every_file_is_listed() {
    let entries = fs::read_dir("tests").unwrap().map(Result::unwrap);
    // A folder has the parts of a file.
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let files = files.map(|entry| entry.file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|name| name != "promises.rs").collect();
    let lines = include_str!("promises.rs").lines();
    let modules = lines.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let modules = modules.map(|module| module.trim_start_matches("a_minute_"));
    let modules: BTreeSet<_> = modules.map(|module| format!("{module}.rs")).collect();
    assert_eq!(files, modules);
}
