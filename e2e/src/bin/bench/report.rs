//! The figures as people and programs read them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::hot_path::HotPath;
use crate::memory::Memory;
use crate::wake::Wake;
use wakegate_e2e::stats::{Ratio, Times};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    quick: bool,
    n_cores: usize,
    pub(crate) hot_path: Vec<HotPath>,
    pub(crate) wake: Option<Wake>,
    pub(crate) memory: Option<Memory>,
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            quick,
            n_cores,
            hot_path: Vec::new(),
            wake: None,
            memory: None,
        }
    }

    /// Writes bench.md and bench.json into `folder`.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).context("make the output folder")?;
        fs::write(folder.join("bench.md"), self.markdown()).context("write bench.md")?;
        let json = serde_json::to_string_pretty(self)?;
        fs::write(folder.join("bench.json"), json).context("write bench.json")
    }

    /// The figures as Markdown tables.
    pub(crate) fn markdown(&self) -> String {
        let kind = if self.quick {
            "a quick look"
        } else {
            "a full run"
        };
        let mut lines = vec![
            format!("# Figures ({kind}, {} cores)", self.n_cores),
            String::new(),
        ];
        if !self.hot_path.is_empty() {
            lines.extend(table(
                "requests to a backend that is up",
                "median (95 % of the median)",
            ));
            lines.extend(self.hot_path.iter().flat_map(hot_path));
        }
        if let Some(wake) = &self.wake {
            lines.extend(table("from zero", "p50 / p99 / max, milliseconds"));
            lines.push(times(
                "request → `true` on KEDA's stream",
                &wake.request_to_true,
            ));
            let what = "endpoint's file written → held request at the backend";
            lines.push(times(what, &wake.endpoint_to_backend));
            let what = "endpoint's file written → response at the client";
            lines.push(times(what, &wake.endpoint_to_response));
            lines.push(String::new());
        }
        if let Some(memory) = &self.memory {
            let what = format!("{} requests wait (HTTP/2)", memory.n_held);
            lines.extend(table(&what, "bytes of resident memory each"));
            lines.push(row("held by the filter", &format!("{:.0}", memory.held)));
            let what = "paused by a wasm filter that does nothing else";
            lines.push(row(what, &format!("{:.0}", memory.paused)));
            let what = "delayed by Envoy's own fault filter";
            lines.push(row(what, &format!("{:.0}", memory.delayed)));
            let share = memory.held - memory.paused;
            lines.push(row(
                "the filter's share, beyond a pause",
                &format!("{share:.0}"),
            ));
            lines.push(String::new());
        }
        lines.join("\n")
    }
}

fn table(what: &str, figures: &str) -> [String; 2] {
    [row(what, figures), "|---|---|".to_owned()]
}

fn row(what: &str, figure: &str) -> String {
    format!("| {what} | {figure} |")
}

fn hot_path(figures: &HotPath) -> Vec<String> {
    let n = figures.n_routes;
    let orientation = |what: &str, of: &crate::hot_path::Medians, digits: usize| {
        let what = format!("table of {n}: {what} with the filter / an empty one / none");
        row(
            &what,
            &format!(
                "{:.digits$} / {:.digits$} / {:.digits$}",
                of.filter, of.empty, of.bare
            ),
        )
    };
    vec![
        ratio(
            n,
            "requests per second / empty filter",
            &figures.throughput_over_empty,
        ),
        ratio(
            n,
            "requests per second / no filter",
            &figures.throughput_over_bare,
        ),
        ratio(n, "CPU per request / empty filter", &figures.cpu_over_empty),
        ratio(n, "CPU per request / no filter", &figures.cpu_over_bare),
        orientation("requests per second", &figures.requests_per_second, 0),
        orientation("CPU µs per request", &figures.cpu_micros_per_request, 1),
        String::new(),
    ]
}

fn ratio(n_routes: usize, what: &str, ratio: &Ratio) -> String {
    let figure = format!(
        "{:.3} ({:.3} to {:.3}, {} pairs)",
        ratio.median, ratio.low, ratio.high, ratio.n_pairs
    );
    row(&format!("table of {n_routes}: {what}"), &figure)
}

fn times(what: &str, times: &Times) -> String {
    let figure = format!(
        "{:.2} / {:.2} / {:.2} (n = {})",
        times.p50_ms, times.p99_ms, times.max_ms, times.n
    );
    row(what, &figure)
}
