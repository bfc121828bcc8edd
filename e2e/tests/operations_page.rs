//! docs/operations.md has every flag and every metric that there is. The tables of metrics are written by tests of the crates that
//! define them; here it is seen that running programs have no other.

mod flags;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, ensure};
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::{Daemon, Service, Stack};

const PAGE: &str = "../docs/operations.md";

/// The metrics that are not in the page, or are of another kind there: a row begins with a name, with its labels.
fn missing(metrics: &BTreeSet<(String, String)>) -> Result<Vec<&(String, String)>> {
    let page = fs::read_to_string(PAGE)?;
    let is_there = |(name, kind): &(String, String)| {
        let mut rows = page.lines().filter_map(|line| line.strip_prefix("| "));
        rows.any(|row| {
            let (names, rest) = row.split_once(" | ").unwrap_or_default();
            let mut names = names.split('`').map(|it| it.split('{').next());
            names.any(|it| it == Some(name)) && rest.starts_with(&format!("{kind} |"))
        })
    };
    Ok(metrics.iter().filter(|it| !is_there(it)).collect())
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
        let metrics =
            types
                .filter_map(|line| line.split_once(' '))
                .map(|(name, kind)| match kind {
                    // OpenMetrics names a counter's family without the suffix that its sample has.
                    "counter" if !name.ends_with("_total") => {
                        (format!("{name}_total"), kind.to_owned())
                    }
                    _ => (name.to_owned(), kind.to_owned()),
                });
        let ours: BTreeSet<_> = metrics
            .filter(|(name, _)| name.starts_with("wakegate"))
            .collect();
        ensure!(!ours.is_empty(), "no metric of ours: {page}");
        let missing = missing(&ours)?;
        ensure!(missing.is_empty(), "{PAGE} lacks {missing:?}");
    }
    stack.finish().await
}

async fn exposition(daemon: &Daemon) -> Result<String> {
    Ok(daemon.ask("/metrics").await?.text())
}
