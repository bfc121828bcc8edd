//! Runs a fuzz target for as long as one likes.

use std::{fs, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use wakegate_fuzz::{Budget, Engine, Target, targets};

/// Runs a fuzz target, and keeps the inputs that are of a new kind
///
/// The first input for which a property does not hold is written to the file that is named; put it into the
/// corpus with the change that mends it.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// Which; `all` is one after the other
    target: String,

    /// How long, for each
    #[arg(default_value_t = 60)]
    seconds: u64,

    /// Another one is another run
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Puts what is of a new kind into the corpus
    #[arg(long)]
    keep: bool,
}

#[expect(clippy::print_stderr, reason = "what this program is for")]
fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let is_meant = |target: &&Target| args.target == "all" || args.target == target.name;
    let meant: Vec<_> = targets::ALL.iter().filter(is_meant).collect();
    if meant.is_empty() {
        let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
        anyhow::bail!(
            "there is no target {:?}; there are {}",
            args.target,
            names.join(", ")
        );
    }
    for target in meant {
        let budget = Budget::Time(Duration::from_secs(args.seconds));
        match Engine::new(*target, args.seed)
            .context("read the corpus")?
            .run(budget)
        {
            Ok(summary) => {
                eprintln!(
                    "{}: {} inputs of {} kinds",
                    target.name, summary.n_run, summary.n_kinds
                );
                if args.keep {
                    keep(target, &summary.found)?;
                }
            }
            Err(failure) => {
                let file = format!("{}.failed", target.name);
                fs::write(&file, &failure.input).with_context(|| format!("write {file}"))?;
                eprintln!(
                    "{}: {}\nthe input is in {file}",
                    target.name, failure.reason
                );
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Small inputs alone: large ones say the same at more length.
fn keep(target: &Target, found: &[Vec<u8>]) -> Result<()> {
    const MAX_BYTES: usize = 2 << 10;
    const MAX_FILES: usize = 32;
    let folder = target.corpus();
    fs::create_dir_all(&folder).context("make the corpus")?;
    let n_there = fs::read_dir(&folder)?.count();
    let small = found.iter().filter(|input| input.len() <= MAX_BYTES);
    for (input, number) in small.zip(n_there..MAX_FILES) {
        write(&folder.join(format!("{number:03}")), input)?;
    }
    Ok(())
}

fn write(file: &Path, input: &[u8]) -> Result<()> {
    fs::write(file, input).with_context(|| format!("write {}", file.display()))
}
