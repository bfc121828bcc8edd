//! What the chart renders, before anything runs: the API server takes each object, field by field.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::kube::{CHART, Cluster, Helm};

/// Kinds of operators that are not here; their objects are rendered, and not asked for.
const ELSEWHERE: [&str; 2] = [
    "apiVersion: cert-manager.io/",
    "apiVersion: monitoring.coreos.com/",
];

/// Refuses fields that a kind does not have.
const APPLY: [&str; 6] = [
    "apply",
    "--server-side",
    "--force-conflicts",
    "--dry-run=server",
    "--validate=strict",
    "--filename=-",
];

#[tokio::test]
async fn the_api_server_takes_every_object_of_every_documented_combination() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let helm = Helm::of(cluster)?;
    let namespace = cluster.namespace("chart_objects").await?;
    let mut n_files = 0;
    for file in Path::new(CHART).join("ci").read_dir()? {
        let file = file?.path();
        let values = file.to_string_lossy();
        let rendered = helm
            .run(&[
                "template",
                "wakegate",
                CHART,
                "--namespace",
                namespace.name(),
                "--values",
                &values,
                // That of the combination need not be there.
                "--set=keda.namespace=keda",
            ])
            .await?;
        let objects: Vec<_> = rendered
            .split("\n---\n")
            .filter(|object| object.contains("apiVersion:"))
            .filter(|object| !ELSEWHERE.iter().any(|version| object.contains(version)))
            .collect();
        ensure!(objects.len() > 10, "{values} renders {rendered}");
        let taken = cluster
            .kubectl(&APPLY, Some(&objects.join("\n---\n")))
            .await;
        let taken = taken.with_context(|| values.clone().into_owned())?;
        ensure!(
            taken.lines().count() == objects.len(),
            "{values}: {} objects, and {taken}",
            objects.len()
        );
        n_files += 1;
    }
    ensure!(n_files > 5, "only {n_files} combinations");
    namespace.finish().await
}
