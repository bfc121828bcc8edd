//! `wakegate doctor`: what is wrong with an installation, what it does to requests, and the way out.
//!
//! [`objects`] is what was read, `attachment` which of it brings the filter into an Envoy, `part` which Deployments are
//! the daemons, `certificate` which Secrets have their certificates, `route` which routes are Wakegate's, `check` what is
//! to be said, [`rules`] the one table of all that can be said, [`mod@report`] how it is printed.

mod attachment;
mod certificate;
mod check;
mod gateway;
pub mod objects;
mod part;
mod policy;
pub mod report;
mod route;
pub mod rules;

use std::time::{SystemTime, UNIX_EPOCH};

use self::{objects::Objects, report::Report};
use crate::{
    DoctorArgs, Output,
    source::{cluster::Cluster, files},
};

/// The report as it is to be printed, and the exit status.
///
/// # Errors
/// Nothing could be read.
pub async fn run(args: &DoctorArgs) -> anyhow::Result<(String, u8)> {
    let report = read(args).await?;
    let text = match args.output {
        Output::Text => report.to_string(),
        Output::Json => report.json()?,
    };
    Ok((text, report.status()))
}

/// Says of objects what is to be said at a time, in seconds since 1970.
pub fn report(objects: &Objects, now: i64) -> Report {
    check::check(objects, Vec::new(), now)
}

/// Reads what the flags name, and says what is to be said of it.
///
/// # Errors
/// Nothing could be read.
pub async fn read(args: &DoctorArgs) -> anyhow::Result<Report> {
    let DoctorArgs {
        filename,
        context,
        namespace,
        output: _,
    } = args;
    let (objects, unread) = if filename.is_empty() {
        let cluster = Cluster::find(context.as_deref(), namespace).await?;
        Objects::of_cluster(cluster, namespace).await?
    } else {
        let mut objects = Objects::of_files();
        let unread = files::read(filename, |value, file| objects.add(value, Some(file)))?;
        (objects, unread)
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX));
    Ok(check::check(&objects, unread, now))
}
