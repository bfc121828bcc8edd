//! `just chaos`: parts of Wakegate and of its surroundings fail, one after the other and then at random,
//! under traffic of which every answer is checked, beside the same traffic through an Envoy without the
//! filter.

mod args;
mod ask;
mod case;
mod cases;
mod checks;
mod faults;
mod report;
mod scene;
mod tally;
mod traffic;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use futures::{StreamExt, stream};
use tokio::sync::Mutex;
use tracing_subscriber::EnvFilter;

use args::Args;
use report::Report;

/// One with the stage, and one of which the end is checked.
const N_AT_ONCE: usize = 2;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let filter = EnvFilter::try_new(&args.log_filter).context("read --log-filter")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    tokio::select! {
        ended = run(&args) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("listen for Ctrl-C")?;
            bail!("interrupted");
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program's output")]
async fn run(args: &Args) -> Result<ExitCode> {
    let seed = args
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let cases = cases::chosen(args, seed)?;
    if args.list {
        for case in cases {
            println!("{:24} {}", case.name, case.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!("chaos: {} cases, seed {seed}", cases.len());
    let stage = Mutex::new(());
    let running = cases.into_iter().map(|case| case.run(args, &stage));
    let mut running = stream::iter(running).buffered(N_AT_ONCE);
    let mut report = Report {
        seed,
        quick: args.quick,
        verdicts: Vec::new(),
    };
    while let Some(verdict) = running.next().await {
        println!("{}", verdict.line());
        report.verdicts.push(verdict);
    }
    println!("\n{}", report.markdown());
    report.save(&args.output)?;
    Ok(if report.has_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
