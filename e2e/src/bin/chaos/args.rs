//! What the program is told.

use std::path::PathBuf;

use clap::Parser;

/// Breaks Wakegate's surroundings, one part after the other, under traffic of which every answer is
/// checked. `just chaos` builds and finds what it needs.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Only these cases; all when none is named.
    #[arg(long = "case", value_delimiter = ',')]
    pub(crate) cases: Vec<String>,
    /// Says which cases there are.
    #[arg(long)]
    pub(crate) list: bool,
    /// A few cases with short faults, for every change.
    #[arg(long)]
    pub(crate) quick: bool,
    /// So many faults at random on one stack, after the named cases; 0 leaves them out.
    #[arg(long, default_value_t = 6)]
    pub(crate) random: usize,
    /// Which random faults; a new one each time when it is not given.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Requests a second to what is awake, through each of the two Envoys.
    #[arg(long, default_value_t = 500)]
    pub(crate) rate: u32,
    /// Where chaos.md, chaos.json and the folders of failed cases go.
    #[arg(long, default_value = "target/chaos")]
    pub(crate) output: PathBuf,
    /// Keeps the folders of cases that passed as well.
    #[arg(long)]
    pub(crate) keep: bool,
    /// What the program itself logs, in tracing's filter syntax.
    #[arg(long, default_value = "error")]
    pub(crate) log_filter: String,
}
