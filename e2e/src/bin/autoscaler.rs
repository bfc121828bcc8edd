//! KEDA's part without Kubernetes: asks a scaler as KEDA does and runs sample apps for what it says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wakegate_e2e::autoscaler::{Autoscaler, ScaledObject};
use wakegate_e2e::{AppCommand, Manifests, Service};

#[derive(Debug, Parser)]
#[command(about, version)]
struct Args {
    /// The scaler's gRPC address.
    #[arg(long, default_value = "127.0.0.1:18010")]
    scaler: SocketAddr,
    /// Where Deployments and EndpointSlices are written.
    #[arg(long)]
    manifests: PathBuf,
    /// Where apps leave their logs.
    #[arg(long)]
    logs: PathBuf,
    /// The Services to scale, in the namespace `demo`.
    #[arg(long = "service", required = true)]
    services: Vec<String>,
    /// The trigger's metadata, KEY=VALUE; by default the Service's name.
    #[arg(long = "trigger", value_parser = pair)]
    trigger: Vec<(String, String)>,
    /// How often the scaler is asked.
    #[arg(long, default_value_t = 1_000)]
    polling_interval_ms: u64,
    /// From the last activity to zero.
    #[arg(long, default_value_t = 5_000)]
    cooldown_ms: u64,
    /// A flag for the sample app, such as --app=--start-delay-ms=500.
    #[arg(long = "app", allow_hyphen_values = true)]
    app: Vec<String>,
    /// What to log, in tracing's filter syntax.
    #[arg(long, default_value = "info,wakegate_e2e::autoscaler=debug")]
    log_filter: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_new(&args.log_filter).context("read --log-filter")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .init();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let manifests = Manifests::in_folder(&args.manifests)?;
    let objects = args
        .services
        .iter()
        .map(|name| scaled_object(&args, name))
        .collect();
    let _autoscaler = Autoscaler::start(args.scaler, &manifests, objects)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listen for Ctrl-C"),
    }
}

fn scaled_object(args: &Args, name: &str) -> ScaledObject {
    let flags: Vec<_> = args.app.iter().map(String::as_str).collect();
    let command = AppCommand::sample(&args.logs).args(&flags);
    let polling_interval = Duration::from_millis(args.polling_interval_ms);
    let cooldown = Duration::from_millis(args.cooldown_ms);
    let mut object =
        ScaledObject::new(&Service::new(name), command).paced(polling_interval, cooldown);
    if !args.trigger.is_empty() {
        object.trigger = args.trigger.iter().cloned().collect::<HashMap<_, _>>();
    }
    object
}

fn pair(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').context("not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
