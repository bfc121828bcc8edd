//! The control plane: see `wakegate_control_plane`.

use anyhow::Context as _;
use clap::Parser as _;
use wakegate_control_plane::{Args, Config, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    args.log.init()?;
    let config = Config::try_from(args).context("invalid configuration")?;
    run(config).await
}
