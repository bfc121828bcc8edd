//! From one change to every worker, and from a start to all workers at once, among very many routes.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::stats::Times;

use super::watchers::{Applied, Watchers};
use super::world::World;
use super::{Sizes, usage};
use crate::args::Args;
use crate::line::Line;

const PART: &str = "Control plane: many workers";

pub(crate) async fn measure(args: &Args) -> Result<Vec<Line>> {
    let sizes = Sizes::of(args.quick);
    let mut world = World::start(sizes.routes).await?;
    let address = world.control_plane.addresses().grpc;
    let mut watchers = Watchers::start(address, 1, "");
    let has = watchers.all(|applied| applied.is_full).await?;
    let version = has.into_iter().map(|applied| applied.version).next();
    let version = version.context("a version")?;
    drop(watchers);
    let (storm, mut watchers) = storm(&world, sizes).await?;
    let fan_out = fan_out(&world, &mut watchers, sizes, args).await?;
    drop(watchers);
    let again = come_back(&mut world, &version, sizes).await?;
    world.control_plane.terminate().await?;
    Ok(vec![storm, fan_out, again])
}

/// All workers come at once and have nothing.
async fn storm(world: &World, sizes: Sizes) -> Result<(Line, Watchers)> {
    let Sizes {
        routes: n_routes,
        watchers: n_watchers,
        ..
    } = sizes;
    let address = world.control_plane.addresses().grpc;
    let (before, rested) = (
        usage::cpu_time(&world.control_plane)?,
        usage::resident_mb(&world.control_plane)?,
    );
    let began = Instant::now();
    let mut watchers = Watchers::start(address, n_watchers, "");
    let all = watchers.all(|applied| applied.is_full).await?;
    let cpu = usage::cpu_time(&world.control_plane)?.saturating_sub(before);
    let short = all.iter().find(|applied| applied.n_routes != n_routes);
    ensure!(short.is_none(), "a worker got another table: {short:?}");
    let times = times_of(&all, began);
    let peak = usage::peak_mb(&world.control_plane)?;
    let what = format!("{n_watchers} workers come at once, none with a table of {n_routes} routes");
    let line = Line::new(PART, what)
        .figure("last has it", times.max_ms, "ms")
        .figure("CPU", cpu.as_secs_f64(), "s")
        .figure("memory before", rested, "MB")
        .figure("peak", peak, "MB");
    Ok((line, watchers))
}

/// One backend becomes ready, and unready again.
async fn fan_out(
    world: &World,
    watchers: &mut Watchers,
    sizes: Sizes,
    args: &Args,
) -> Result<Line> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8_080));
    let n_changes = if args.quick { 20 } else { 200 };
    let mut last = Vec::new();
    let before = usage::cpu_time(&world.control_plane)?;
    let changed = world.services.iter().step_by(7).take(n_changes);
    for service in changed {
        let backend = service.backend();
        let began = Instant::now();
        world.manifests.put_endpoint(service, Some(address))?;
        let all = watchers
            .all(|applied| applied.ready.contains(&backend))
            .await?;
        last.push(times_of(&all, began).max_ms);
        world.manifests.put_endpoint(service, None)?;
        watchers
            .all(|applied| applied.asleep.contains(&backend))
            .await?;
    }
    let cpu = usage::cpu_time(&world.control_plane)?.saturating_sub(before);
    let n_done = u32::try_from(2 * last.len()).unwrap_or(u32::MAX);
    let Sizes {
        routes: n_routes,
        watchers: n_watchers,
        ..
    } = sizes;
    let what = format!(
        "one endpoint's file written → the last of {n_watchers} workers has it, {n_routes} routes"
    );
    let line = Line::new(PART, what)
        .times(&Times::of(last))
        .figure(
            "CPU per change",
            cpu.as_secs_f64() * 1e3 / f64::from(n_done),
            "ms",
        )
        .at_most("p99", 10.0);
    Ok(line)
}

/// The control plane is started anew, and every worker comes back with the table that it has.
async fn come_back(world: &mut World, version: &str, sizes: Sizes) -> Result<Line> {
    world.control_plane.kill()?;
    world.control_plane.start_again().await?;
    world.control_plane.ready().await?;
    let address = world.control_plane.addresses().grpc;
    let before = usage::cpu_time(&world.control_plane)?;
    let began = Instant::now();
    let mut watchers = Watchers::start(address, sizes.watchers, version);
    let all = watchers.all(|_| true).await?;
    let cpu = usage::cpu_time(&world.control_plane)?.saturating_sub(before);
    let n_sent = all.iter().filter(|applied| applied.n_bytes > 0).count();
    let what = format!(
        "{} workers come back at once to a control plane that was started anew, with the table that they have",
        sizes.watchers
    );
    Ok(Line::new(PART, what)
        .figure("last is told", times_of(&all, began).max_ms, "ms")
        .figure("CPU", cpu.as_secs_f64(), "s")
        .count("tables sent", n_sent)
        .must_be_zero("tables sent"))
}

fn times_of(all: &[Applied], began: Instant) -> Times {
    let millis = |applied: &Applied| {
        let took = applied.at.saturating_duration_since(began);
        took.as_secs_f64() * 1e3
    };
    Times::of(all.iter().map(millis).collect())
}
