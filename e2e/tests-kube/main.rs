//! What Wakegate promises on Kubernetes, one file each, on a real API server and the real KEDA.
//!
//! `./justw e2e-kube` runs them in a network namespace of their own. All are one program, because most
//! share one cluster.

mod clusters_side_by_side;
mod the_cluster_is_real;
