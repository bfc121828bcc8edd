//! On a real API server with the real KEDA: how soon a request at zero becomes a replica, and a ready endpoint an
//! answer. Times belong to the machine that they were taken on.

mod endpoints;
mod wakes;

use std::time::Instant;

use anyhow::Result;

use crate::args::Args;
use crate::line::Line;

const PART: &str = "From zero: on Kubernetes, with KEDA";

pub(crate) async fn measure(args: &Args) -> Result<Vec<Line>> {
    let n = if args.quick { 10 } else { 50 };
    let mut lines = wakes::measure(n).await?;
    lines.extend(Box::pin(endpoints::measure(n)).await?);
    Ok(lines)
}

/// From one moment to another, where both came.
fn millis(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}
