//! docs/operations.md names every flag and every metric that there is.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::{Daemon, Process, Service, Stack, programs, until};

const PAGE: &str = "../docs/operations.md";

/// The names that are not in the page, which has names in `code` alone.
fn missing(names: &BTreeSet<String>) -> Result<Vec<&String>> {
    let page = fs::read_to_string(PAGE)?;
    let is_there = |name: &str| {
        page.split(name).skip(1).any(|rest| {
            rest.starts_with(|next: char| {
                !next.is_ascii_alphanumeric() && next != '_' && next != '-'
            })
        })
    };
    Ok(names.iter().filter(|name| !is_there(name)).collect())
}

#[tokio::test]
async fn every_flag_is_in_the_page() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["wakegate-control-plane", "wakegate-scaler"] {
        let log = folder.path().join(name);
        let mut help = Process::start(&programs::ours(name)?, ["--help"], &log)?;
        until(Duration::from_secs(10), "--help ends", || {
            help.ended().transpose()
        })
        .await??;
        let text = help.log();
        // A sentence may end with a flag.
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '.'));
        let flags: BTreeSet<_> = words
            .filter(|word| word.starts_with("--"))
            .map(str::to_owned)
            .collect();
        ensure!(flags.contains("--listen"), "{name} --help says {text}");
        let missing = missing(&flags)?;
        ensure!(
            missing.is_empty(),
            "{PAGE} lacks flags of {name}: {missing:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_metric_is_in_the_page() -> Result<()> {
    let service = Service::new("app");
    let stack = Stack::of(&[&service]).await?;
    let mut pages = vec![
        exposition(&stack.control_plane).await?,
        exposition(&stack.scaler).await?,
    ];
    let request = get("http://localhost/stats/prometheus")?;
    let envoy = fetch(Version::H1, stack.envoy()?.admin().address(), request).await?;
    pages.push(envoy.text());
    for page in &pages {
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = types
            .filter_map(|line| line.split_once(' '))
            .map(|(name, kind)| match kind {
                // OpenMetrics names a counter's family without the suffix that its sample has.
                "counter" if !name.ends_with("_total") => format!("{name}_total"),
                _ => name.to_owned(),
            });
        let ours: BTreeSet<_> = names.filter(|name| name.starts_with("wakegate")).collect();
        ensure!(!ours.is_empty(), "no metric of ours: {page}");
        let missing = missing(&ours)?;
        ensure!(missing.is_empty(), "{PAGE} lacks {missing:?}");
    }
    stack.finish().await
}

async fn exposition(daemon: &Daemon) -> Result<String> {
    Ok(daemon.ask("/metrics").await?.text())
}
