//! `wakegate migrate`: what has to change to move from the KEDA HTTP add-on to Wakegate.
//!
//! [`objects`] is what was read, `check` what is to be said of it, [`rules`] the one table of all that can be said,
//! [`mod@report`] how it is printed. Files and clusters fill the same [`objects::Objects`].

mod check;
pub mod objects;
pub mod report;
pub mod rules;
pub mod source;
pub mod steps;

use self::report::Report;
use crate::{MigrateArgs, Output};

/// The report as it is to be printed, and the exit status.
///
/// # Errors
/// Nothing could be read.
pub async fn run(args: &MigrateArgs) -> anyhow::Result<(String, u8)> {
    let report = read(args).await?;
    let text = match args.output {
        Output::Text => report.to_string(),
        Output::Json => report.json()?,
    };
    Ok((text, report.status()))
}

/// Says of objects what is to be said, with the address at which KEDA finds Wakegate's scaler.
pub fn report(objects: &objects::Objects, scaler_address: &str) -> Report {
    check::check(objects, scaler_address, Vec::new())
}

/// Reads what the flags name, and says what is to be said of it.
///
/// # Errors
/// Nothing could be read.
pub async fn read(args: &MigrateArgs) -> anyhow::Result<Report> {
    let MigrateArgs {
        filename,
        context,
        namespace,
        scaler_address,
        output: _,
    } = args;
    let (objects, unread) = if filename.is_empty() {
        source::cluster::read(context.as_deref(), namespace).await?
    } else {
        source::files::read(filename)?
    };
    Ok(check::check(&objects, scaler_address, unread))
}
