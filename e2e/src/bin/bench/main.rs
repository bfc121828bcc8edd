//! `just bench`: Wakegate's figures on this machine. Ratios are of runs taken in turns, because a
//! machine is never the same for long; what is no ratio belongs to the machine that it was taken on.

mod args;
mod hot_path;
mod load;
mod memory;
mod proxy;
mod report;
mod wake;

use anyhow::Result;
use clap::Parser;

use args::{Args, Part};
use report::Report;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program's output")]
#[expect(clippy::print_stderr, reason = "a program's progress")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut report = Report::new(args.quick);
    if args.wants(Part::HotPath) {
        for &n_routes in &args.routes {
            eprintln!("bench: hot path, {n_routes} routes");
            report
                .hot_path
                .push(hot_path::measure(&args, n_routes).await?);
        }
    }
    if args.wants(Part::Wake) {
        eprintln!("bench: {} wakes", args.n_wakes());
        report.wake = Some(wake::measure(&args).await?);
    }
    if args.wants(Part::Memory) {
        eprintln!("bench: memory of held requests");
        report.memory = Some(memory::measure(&args).await?);
    }
    println!("{}", report.markdown());
    report.save(&args.output)
}
