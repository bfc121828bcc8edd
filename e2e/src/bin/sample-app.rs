//! An HTTP app to scale: HTTP/1.1, h2c, gRPC and WebSocket on one port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use wakegate_e2e::sample::{self, Behaviour};

#[derive(Debug, Parser)]
#[command(about, version)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "SAMPLE_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Gets the bound address once the app listens.
    #[arg(long)]
    address_file: Option<PathBuf>,
    /// How long the app takes to start, as real ones do.
    #[arg(long, default_value_t = 0)]
    start_delay_ms: u64,
    /// Waited before each answer.
    #[arg(long, default_value_t = 0)]
    response_delay_ms: u64,
    /// The share of requests that are answered with 500.
    #[arg(long, default_value_t = 0.0)]
    error_rate: f64,
    /// How long what is under way may last after SIGTERM.
    #[arg(long, default_value_t = 5)]
    drain_limit_secs: u64,
    /// What to log, in tracing's filter syntax.
    #[arg(long, default_value = "info")]
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

    time::sleep(Duration::from_millis(args.start_delay_ms)).await;
    let listener = TcpListener::bind(args.listen).await.context("listen")?;
    tracing::info!(address = %listener.local_addr()?, "ready");
    if let Some(path) = &args.address_file {
        sample::write_address_file(path, &listener)?;
    }
    let shutdown = CancellationToken::new();
    let behaviour = Behaviour {
        response_delay: Duration::from_millis(args.response_delay_ms),
        error_rate: args.error_rate,
        drain_limit: Duration::from_secs(args.drain_limit_secs),
    };
    let serving = sample::serve(listener, behaviour, shutdown.clone());
    tokio::join!(serving, async {
        terminate.recv().await;
        tracing::info!("told to stop");
        shutdown.cancel();
    });
    Ok(())
}
