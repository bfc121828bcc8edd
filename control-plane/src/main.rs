//! The control plane: see `wakegate_control_plane`.

use anyhow::Context as _;
use clap::Parser as _;
use wakegate_control_plane::{Args, Config, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    // They say at each attempt what the source says once a minute.
    let filter = format!("kube_client=off,kube_runtime=off,{}", args.log.log_filter);
    args.log.log_filter = filter;
    args.log.init()?;
    let config = Config::try_from(args).context("invalid configuration")?;
    run(config).await
}
