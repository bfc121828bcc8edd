//! Adds up what all filters see and answers KEDA as an external scaler.

use clap::Parser as _;
use wakegate_scaler::{Args, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    args.log.init()?;
    run(args.into()).await
}
