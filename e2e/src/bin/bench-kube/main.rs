//! `just bench-kube`: how soon a request at zero becomes a replica, and a ready endpoint an answer, on a real
//! API server with the real KEDA. Times belong to the machine that they were taken on.

mod endpoints;
mod wakes;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;
use wakegate_e2e::stats::Times;

use endpoints::Endpoints;
use wakes::Wakes;

/// Measures Wakegate on a real API server with the real KEDA. `just bench-kube` builds and finds what it needs,
/// and gives it a network namespace.
#[derive(Debug, Parser)]
struct Args {
    /// Requests at zero, and endpoints that become ready.
    #[arg(long, default_value_t = 50)]
    n: usize,
    /// Where bench-kube.md and bench-kube.json go.
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Report {
    wakes: Wakes,
    endpoints: Endpoints,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program's output")]
#[expect(clippy::print_stderr, reason = "a program's progress")]
async fn main() -> Result<()> {
    let Args { n, output } = Args::parse();
    eprintln!("bench-kube: {n} requests at zero");
    let wakes = wakes::measure(n).await?;
    eprintln!("bench-kube: {n} endpoints that become ready");
    let endpoints = Box::pin(endpoints::measure(n)).await?;
    let report = Report { wakes, endpoints };
    println!("{}", report.markdown());
    report.save(&output)
}

impl Report {
    fn rows(&self) -> [(&'static str, &Times); 5] {
        let Self { wakes, endpoints } = self;
        [
            (
                "request at zero → KEDA has written `/scale`",
                &wakes.request_to_scale,
            ),
            ("request at zero → first byte", &wakes.request_to_response),
            ("pod Ready → first byte", &wakes.ready_to_response),
            (
                "EndpointSlice sent to the API server → response of the held request",
                &endpoints.sent_to_response,
            ),
            (
                "EndpointSlice acknowledged by it → response",
                &endpoints.written_to_response,
            ),
        ]
    }

    fn markdown(&self) -> String {
        let row = |(what, times): (&str, &Times)| {
            let Times {
                n,
                p50_ms,
                p99_ms,
                max_ms,
            } = times;
            format!("| {what} | {n} | {p50_ms:.2} | {p99_ms:.2} | {max_ms:.2} |\n")
        };
        let rows: String = self.rows().into_iter().map(row).collect();
        format!("| | n | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|\n{rows}")
    }

    fn save(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).context("make the output folder")?;
        let markdown = folder.join("bench-kube.md");
        std::fs::write(markdown, self.markdown()).context("write bench-kube.md")?;
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(folder.join("bench-kube.json"), json).context("write bench-kube.json")
    }
}

/// From one moment to another, where both came.
fn millis(from: std::time::Instant, to: std::time::Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}
