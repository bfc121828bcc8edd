//! What the bench is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::json;

use crate::proxy::Filter;

/// Measures Wakegate on this machine: ratios taken in one run, in turns. `just bench` builds and finds
/// what it needs.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A first look: fewer and shorter rounds, whose figures are not worth quoting.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these parts; all when none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Sizes of the table for the hot path.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10_000])]
    pub(crate) routes: Vec<usize>,
    /// Envoy.
    #[arg(long, env = "ENVOY_BIN")]
    pub(crate) envoy: PathBuf,
    /// The load generator wrk.
    #[arg(long, env = "WRK")]
    pub(crate) wrk: PathBuf,
    /// The filter.
    #[arg(long, env = "WAKEGATE_FILTER")]
    pub(crate) filter: PathBuf,
    /// A filter without logic, to compare with.
    #[arg(long, env = "WAKEGATE_EMPTY_FILTER")]
    pub(crate) empty_filter: PathBuf,
    /// Where bench.md and bench.json go.
    #[arg(long, default_value = "target/bench")]
    pub(crate) output: PathBuf,
}

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Requests whose backend is up.
    HotPath,
    /// From zero: request to wake, endpoint to backend.
    Wake,
    /// Memory of held requests.
    Memory,
    /// Many workers of one control plane: a change to all of them, all of them at once.
    FanOut,
    /// Many workers of one scaler, and very many ScaledObjects.
    Scaler,
    /// Very many objects on a real API server.
    FirstSync,
    /// From zero on a real API server with the real KEDA.
    Cluster,
}

impl Part {
    /// Whether it runs where `scripts/bench` has put it: with Kubernetes, which is no part of a quick look unless it
    /// is named.
    fn needs_kubernetes(self) -> bool {
        match self {
            Self::FirstSync | Self::Cluster => true,
            Self::HotPath | Self::Wake | Self::Memory | Self::FanOut | Self::Scaler => false,
        }
    }
}

impl Args {
    pub(crate) fn wants(&self, part: Part) -> bool {
        let is_usual = !(self.quick && part.needs_kubernetes());
        (self.only.is_empty() && is_usual) || self.only.contains(&part)
    }

    pub(crate) fn n_rounds(&self) -> usize {
        if self.quick { 3 } else { 12 }
    }

    pub(crate) fn round_span(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { 3 })
    }

    pub(crate) fn n_wakes(&self) -> usize {
        if self.quick { 20 } else { 200 }
    }

    pub(crate) fn n_memory_rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    /// Our filter, as users configure it.
    pub(crate) fn our_filter(&self) -> Filter {
        Filter::Wasm {
            module: self.filter.clone(),
            configuration: json!({
                "control_plane": { "cluster": "wakegate-control-plane" },
                "scaler": { "cluster": "wakegate-scaler" },
            })
            .to_string(),
        }
    }

    /// The filter without logic.
    pub(crate) fn empty_filter(&self, configuration: &str) -> Filter {
        Filter::Wasm {
            module: self.empty_filter.clone(),
            configuration: configuration.to_owned(),
        }
    }
}
