//! `wakegate migrate`: what has to change to move from the KEDA HTTP add-on to Wakegate.
//!
//! [`objects`] is what was read, `check` what is to be said of it, [`rules`] the one table of all that can be said,
//! [`mod@report`] how it is printed. Files and clusters fill the same [`objects::Objects`].

mod check;
pub mod objects;
pub mod report;
pub mod rules;
pub mod steps;

use wakegate_api::http_add_on::{RESPONSE_BODY_LABEL, YES};

use self::{
    objects::{Kind, Objects},
    report::Report,
};
use crate::{
    MigrateArgs, Output,
    source::{
        Unread,
        cluster::{Cluster, Wanted},
        files,
    },
};

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
pub fn report(objects: &Objects, scaler_address: &str) -> Report {
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
    if filename.is_empty() {
        let cluster = Cluster::find(context.as_deref(), namespace).await?;
        let (objects, unread) = of_cluster(cluster, namespace.is_empty()).await?;
        return Ok(check::check(&objects, scaler_address, unread));
    }
    let mut objects = Objects::of_files();
    let unread = files::read(filename, |value, file| objects.add(value, Some(file)))?;
    Ok(check::check(&objects, scaler_address, unread))
}

async fn of_cluster(
    mut cluster: Cluster,
    is_whole: bool,
) -> anyhow::Result<(Objects, Vec<Unread>)> {
    let (mut objects, mut unread) = (Objects::of_cluster(is_whole), Vec::new());
    let bodies = format!("{RESPONSE_BODY_LABEL}={YES}");
    for kind in Kind::ALL {
        // What else stands in ConfigMaps is nobody's business here.
        let wanted = if kind == Kind::ConfigMap {
            Wanted::Labelled(&bodies)
        } else {
            Wanted::Whole
        };
        let mut add = |value| objects.add(value, None);
        let listed = cluster.list(&kind.resource(), wanted, &mut add).await?;
        if !listed.unread.is_empty() {
            objects.unread.insert(kind);
        }
        unread.extend(listed.unread);
    }
    Ok((objects, unread))
}
