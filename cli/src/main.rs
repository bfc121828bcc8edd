//! `wakegate`: see `wakegate_cli`.

use std::process::ExitCode;

use clap::Parser as _;
use wakegate_cli::{Args, USAGE, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => {
            // Help and version come this way as well, and are no errors.
            let status = if told.use_stderr() { USAGE } else { 0 };
            // Nobody is left to tell where the output is closed.
            drop(told.print());
            return ExitCode::from(status);
        }
    };
    run(args).await
}
