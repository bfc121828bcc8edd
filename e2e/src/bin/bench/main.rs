//! `just bench`: Wakegate's figures on this machine. Ratios are of runs taken in turns, because a
//! machine is never the same for long; what is no ratio belongs to the machine that it was taken on.

mod apps;
mod args;
mod backend;
mod cluster;
mod crowd;
mod endings;
mod hot_path;
mod line;
mod load;
mod memory;
mod proxy;
mod report;
mod scale;
mod soak;
mod subscriber;
mod table;
mod thaw;
mod wake;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;

use args::{Args, Part};
use line::Line;
use report::Report;

/// What is measured in one go: when it fails, its own lines are lost and no others.
struct Step<'a> {
    name: String,
    measuring: Pin<Box<dyn Future<Output = Result<Vec<Line>>> + 'a>>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program's output")]
#[expect(clippy::print_stderr, reason = "a program's progress")]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let mut report = Report::new(args.quick);
    for step in steps(&args) {
        eprintln!("bench: {}", step.name);
        let began = Instant::now();
        let measured = tokio::select! {
            measured = step.measuring => measured,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                report.failed(&step.name, &anyhow::anyhow!("interrupted"));
                break;
            }
        };
        match measured {
            Ok(lines) => {
                for line in &lines {
                    eprintln!("{}", report::row(line));
                }
                report.add(lines);
            }
            Err(error) => {
                eprintln!("bench: {} failed: {error:#}", step.name);
                report.failed(&step.name, &error);
            }
        }
        eprintln!("bench: took {:.0} s", began.elapsed().as_secs_f64());
        report.save(&args.output)?;
    }
    report.save(&args.output)?;
    println!("{}", report.markdown());
    if report.is_bad() {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// All that is to be measured, in order.
fn steps(args: &Args) -> Vec<Step<'_>> {
    let mut steps = of_requests(args);
    steps.extend(of_what_is_held(args));
    steps.extend(of_daemons(args));
    steps
}

fn of_requests(args: &Args) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    if args.wants(Part::HotPath) {
        for scene in hot_path::Scene::all(args.quick) {
            let name = format!("hot path, {} routes", scene.n_routes);
            steps.push(step(name, hot_path::measure(args, scene)));
        }
    }
    if args.wants(Part::Wake) {
        steps.push(step(
            format!("{} wakes", args.n_wakes()),
            wake::measure(args),
        ));
    }
    steps
}

fn of_what_is_held(args: &Args) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    if args.wants(Part::Endings) {
        let n = args.n_endings();
        steps.push(step(format!("{n} time out"), endings::time_out(n)));
        if !args.quick {
            steps.push(step(format!("{n} find nobody"), endings::find_nobody(n)));
        }
        steps.push(step(
            format!("{n} find the dying"),
            endings::find_the_dying(n),
        ));
    }
    if args.wants(Part::Thaw) {
        for thaw in args.thaws() {
            let name = format!("thaw of {} at {} a second", thaw.n, thaw.per_second);
            steps.push(step(name, thaw::one_backend(thaw)));
        }
        steps.push(step("thaw of many backends", thaw::many_backends(args)));
    }
    if args.wants(Part::Memory) {
        steps.push(step("memory of held requests", memory::measure(args)));
        for n_routes in args.table_sizes() {
            let name = format!("memory of a table of {n_routes} routes");
            steps.push(step(name, table::measure(args, n_routes)));
        }
    }
    if let Some(span) = args.soak().filter(|_| args.wants(Part::Soak)) {
        let name = format!("soak of {} s", span.as_secs());
        steps.push(step(name, soak::measure(span)));
    }
    steps
}

fn of_daemons(args: &Args) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    if args.wants(Part::FanOut) {
        let name = "many workers of one control plane";
        steps.push(step(name, scale::fan_out::measure(args)));
    }
    if args.wants(Part::Scaler) {
        // The second load says how the first grows: nothing for a first look.
        let n_loads = if args.quick {
            1
        } else {
            scale::scaler::NAMED.len()
        };
        for n_named in scale::scaler::NAMED.into_iter().take(n_loads) {
            let name = format!("many workers of one scaler, {n_named} keys in each report");
            steps.push(step(name, scale::scaler::measure(args, n_named)));
            let name = format!("many workers of three scalers, {n_named} keys in each report");
            steps.push(step(name, scale::replicas::measure(args, n_named)));
        }
    }
    if args.wants(Part::FirstSync) {
        let name = "many objects on an API server";
        steps.push(step(name, scale::first_sync::measure(args)));
    }
    if args.wants(Part::Cluster) {
        let name = "wakes and endpoints on Kubernetes, with KEDA";
        steps.push(step(name, cluster::measure(args)));
    }
    steps
}

fn step<'a>(
    name: impl Into<String>,
    measuring: impl Future<Output = Result<Vec<Line>>> + 'a,
) -> Step<'a> {
    Step {
        name: name.into(),
        measuring: Box::pin(measuring),
    }
}
