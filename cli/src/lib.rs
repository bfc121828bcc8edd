//! What a user asks at a shell. It reads, prints and exits; `uninstall` alone writes to a cluster.
//!
//! ```text
//! files ──┐
//! cluster ┴─► Objects ─► check ─► Report ─► text or JSON, and an exit status
//! ```

mod args;
mod cluster;
pub mod doctor;
pub mod migrate;
pub mod rule;
pub mod source;
mod uninstall;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

pub use self::args::{Args, Command, DoctorArgs, MigrateArgs, Output, UninstallArgs};

/// The exit status where nothing could be read, or not everything.
pub const UNREAD: u8 = 3;

/// The exit status of a command line that is not understood: that of sysexits, because clap's own 2 says here that
/// there are problems.
pub const USAGE: u8 = 64;

/// Does what was asked for, and says how it went.
pub async fn run(args: Args) -> ExitCode {
    let Args { command } = args;
    let result = match command {
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Migrate(args) => migrate::run(&args).await,
        Command::Uninstall(args) => uninstall::run(&args).await,
    };
    let told = result.and_then(|(text, status)| {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads has enough, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
            result => Ok(result.map(|()| status)?),
        }
    });
    match told {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Nobody is left to tell where this fails as well.
            drop(writeln!(io::stderr(), "wakegate: {error:#}"));
            ExitCode::from(UNREAD)
        }
    }
}
