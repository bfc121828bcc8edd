//! The ways in which the filter's two clusters come to the Envoys, besides their bootstrap.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::eventually;

use super::{Attached, STARTED, file, filter, reached};
use crate::cycle::was_held;
use crate::doctor::doctor;
use crate::installed::{ask, is_asleep};

/// The clusters of the file, as Envoy Gateway names what it makes of a route.
const OF_ROUTES: [(&str, &str); 2] = [
    (
        "{cluster: wakegate-control-plane}",
        "{cluster: grpcroute/wakegate/wakegate-control-plane/rule/0}",
    ),
    (
        "{cluster: wakegate-scaler}",
        "{cluster: grpcroute/wakegate/wakegate-scaler/rule/0}",
    ),
];

impl Attached {
    /// Waits for the Envoy that came with another EnvoyProxy, and for its filters.
    async fn comes_anew(&mut self) -> Result<()> {
        let before = self.metrics;
        let look = async || {
            let (_, metrics) = reached(&self.installed).await.ok()?;
            (metrics != before).then_some(metrics)
        };
        self.metrics = eventually(STARTED, "another Envoy", look).await?;
        self.has_filter().await
    }
}

#[tokio::test]
async fn the_filters_clusters_come_by_other_ways_too() -> Result<()> {
    let mut attached = Attached::new().await?;
    let cluster = &attached.installed.cluster;
    let namespace = cluster.namespace("envoy_gateway_clusters").await?;
    attached.serve(&namespace).await?;

    let cluster = &attached.installed.cluster;
    cluster.apply(&file("clusters-by-patch.yaml")?).await?;
    attached.comes_anew().await.context("by a patch")?;
    is_asleep(&namespace).await?;
    was_held(&ask(attached.address).await?)?;
    let cluster = &attached.installed.cluster;
    doctor(cluster).await?.is(0, &[])?;

    let patch = ["delete", "envoypatchpolicy/wakegate"];
    cluster.kubectl(&patch, None).await?;
    cluster.apply(&file("clusters-by-route.yaml")?).await?;
    let mut text = filter(&attached.installed).await?;
    for (old, new) in OF_ROUTES {
        ensure!(text.contains(old), "{text} has no {old}");
        text = text.replace(old, new);
    }
    cluster.apply(&text).await?;
    attached.comes_anew().await.context("by routes")?;
    is_asleep(&namespace).await?;
    was_held(&ask(attached.address).await?)?;
    doctor(&attached.installed.cluster).await?.is(0, &[])?;
    nobody_speaks_as_the_filter(&attached).await?;

    namespace.finish().await?;
    attached.installed.cluster.finish()
}

/// Those routes are there for their clusters alone.
async fn nobody_speaks_as_the_filter(attached: &Attached) -> Result<()> {
    let client = H2::open(attached.address).await?;
    for host in ["control-plane", "scaler"] {
        let call = get(&format!("http://{host}.wakegate.invalid/"))?;
        let answer = read(client.send(call).await?).await?;
        ensure!(answer.status == 403, "{host} answers {}", answer.status);
    }
    Ok(())
}

/// Otherwise one of the two would be forgotten when the other one changes.
#[test]
fn a_patch_adds_the_clusters_of_the_bootstrap() -> Result<()> {
    let values = |name: &str, kind: &str, patches: &str, value: &str| {
        let text = file(name)?;
        let documents = text.split("\n---\n").map(serde_saphyr::from_str::<Value>);
        let documents = documents.collect::<Result<Vec<_>, _>>()?;
        let mut documents = documents.iter();
        let policy = documents.find(|it| it.get("kind") == Some(&json!(kind)));
        let patches = policy.and_then(|it| it.pointer(patches)?.as_array());
        let patches = patches.context("patches")?.iter();
        anyhow::Ok(
            patches
                .map(|it| it.pointer(value).cloned())
                .collect::<Vec<_>>(),
        )
    };
    let bootstrap = values(
        "gateway-class.yaml",
        "EnvoyProxy",
        "/spec/bootstrap/jsonPatches",
        "/value",
    )?;
    let patch = values(
        "clusters-by-patch.yaml",
        "EnvoyPatchPolicy",
        "/spec/jsonPatches",
        "/operation/value",
    )?;
    ensure!(bootstrap.len() == 2 && bootstrap.iter().all(Option::is_some));
    ensure!(bootstrap == patch, "{bootstrap:#?}\n{patch:#?}");
    Ok(())
}
