//! What the bench is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use crate::proxy::Filter;
use crate::thaw::Thaw;

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
    /// How long the soak goes on, in minutes; 10 when nothing is said, none in a quick run.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) soak: Option<u64>,
    /// How often each of what is compared runs on the hot path.
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// Only these thaws, as `HELD@PER_SECOND`.
    #[arg(long, value_delimiter = ',')]
    pub(crate) thaws: Vec<Thaw>,
    /// Makes what is random the same again.
    #[arg(long, default_value_t = rand::random())]
    pub(crate) seed: u64,
    /// Envoy.
    #[arg(long, env = "ENVOY_BIN")]
    pub(crate) envoy: PathBuf,
    /// The load generator wrk.
    #[arg(long, env = "WRK")]
    pub(crate) wrk: PathBuf,
    /// The load generator oha.
    #[arg(long, env = "OHA")]
    pub(crate) oha: PathBuf,
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
    /// Many holds that end together.
    Endings,
    /// The release of many that wait for one backend, and for many.
    Thaw,
    /// Memory of held requests, and of tables.
    Memory,
    /// Memory over time.
    Soak,
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
            Self::HotPath
            | Self::Wake
            | Self::Endings
            | Self::Thaw
            | Self::Memory
            | Self::Soak
            | Self::FanOut
            | Self::Scaler => false,
        }
    }
}

impl Args {
    pub(crate) fn wants(&self, part: Part) -> bool {
        let is_usual = !(self.quick && part.needs_kubernetes());
        (self.only.is_empty() && is_usual) || self.only.contains(&part)
    }

    pub(crate) fn n_rounds(&self) -> usize {
        let by_default = if self.quick { 2 } else { 12 };
        self.rounds.unwrap_or(by_default)
    }

    pub(crate) fn round_span(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { 2 })
    }

    pub(crate) fn n_wakes(&self) -> usize {
        if self.quick { 20 } else { 200 }
    }

    pub(crate) fn n_memory_rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    pub(crate) fn n_endings(&self) -> usize {
        if self.quick { 1_000 } else { 10_000 }
    }

    /// How many are held on one backend, and how many of them it serves a second.
    pub(crate) fn thaws(&self) -> Vec<Thaw> {
        if !self.thaws.is_empty() {
            return self.thaws.clone();
        }
        let thaw = |n, per_second| Thaw { n, per_second };
        if self.quick {
            return vec![thaw(1_000, 5_000)];
        }
        let rates = [50, 500, 5_000];
        let sizes = [1, 100, 1_000, 10_000];
        rates
            .into_iter()
            .flat_map(|rate| sizes.map(|n| thaw(n, rate)))
            .collect()
    }

    /// How many are held, and over how many backends.
    pub(crate) fn over_backends(&self) -> (usize, usize) {
        if self.quick {
            (1_000, 50)
        } else {
            (10_000, 500)
        }
    }
    /// How many requests wait when memory is looked at.
    pub(crate) fn n_waiting(&self) -> Vec<usize> {
        if self.quick {
            return vec![1_000];
        }
        vec![1_000, 5_000, 20_000]
    }

    pub(crate) fn table_sizes(&self) -> Vec<usize> {
        if self.quick {
            return Vec::new();
        }
        vec![10_000, 50_000]
    }

    /// How long the soak goes on, if there is one.
    pub(crate) fn soak(&self) -> Option<Duration> {
        let by_default = (!self.quick).then_some(10);
        self.soak.or(by_default).map(Duration::from_mins)
    }

    /// Our filter, as users configure it.
    pub(crate) fn our_filter(&self) -> Filter {
        self.our_filter_with(&json!({}))
    }

    /// Our filter, with room for more held requests than it has by default.
    pub(crate) fn our_filter_with_room(&self, max_held: usize) -> Filter {
        self.our_filter_with(&json!({ "max_held": max_held }))
    }

    fn our_filter_with(&self, settings: &Value) -> Filter {
        let mut configuration = json!({
            "control_plane": { "cluster": "wakegate-control-plane" },
            "scaler": { "cluster": "wakegate-scaler" },
        });
        if let (Some(all), Some(more)) = (configuration.as_object_mut(), settings.as_object()) {
            all.extend(more.clone());
        }
        Filter::Wasm {
            module: self.filter.clone(),
            configuration: configuration.to_string(),
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
