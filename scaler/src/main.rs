//! Adds up what all filters see and answers KEDA as an external scaler.

use anyhow::Context as _;
use clap::Parser as _;
use wakegate_scaler::{Args, Config, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    args.log.init()?;
    let config = Config::try_from(args).context("invalid configuration")?;
    run(config).await
}
