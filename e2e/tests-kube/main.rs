//! What Wakegate promises on Kubernetes, one file each, on a real API server and the real KEDA.
//!
//! `./justw e2e-kube` runs them in a network namespace of their own. All are one program, because most
//! share one cluster.

mod add_on;
mod add_on_protocols;
mod add_on_replicas;
mod add_on_schema;
mod add_on_status;
mod annotated;
mod chart;
mod chart_objects;
mod clusters_side_by_side;
mod control_planes;
mod cycle;
mod deleted_objects;
mod doctor;
mod endpoints;
mod envoy_gateway;
mod field_conflicts;
mod health_checks;
mod http_scaled_objects;
mod http_scaled_objects_let_go;
mod installed;
mod interceptor_route_rules;
mod interceptor_route_times;
mod interceptor_routes;
mod interceptor_routes_change;
mod keda_by_tls;
mod keda_certificate;
mod kinds_come_later;
mod listener_hostnames;
mod long_names;
mod many_at_once;
mod module_image;
mod moving_from_the_add_on;
mod never_ready;
mod one_scaled_object;
mod other_namespace;
mod own_authority;
mod parts_die;
mod pausing;
mod placeholders;
mod ports;
mod replicas_by_hand;
mod replicas_follow_demand;
mod some_namespaces;
mod someone_else_scales;
mod stateful_set;
mod static_routes;
mod the_cluster_is_real;
mod two_for_one_workload;
mod wake_policies;
mod wake_policy_schema;
mod weights;
mod wrong_objects;
mod zero_is_earned;
