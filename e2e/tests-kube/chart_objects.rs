//! What the chart renders, and what is below deploy/, before anything runs: the API server takes each object, field by
//! field, those of cert-manager and of the Prometheus operator by their own CRDs.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::kube::{CHART, Cluster, ClusterOptions, Crds, Helm, Namespace};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

/// Namespaces that objects are put into beside the release's, and that of the manifests below deploy/.
const NAMESPACES: [&str; 4] = ["cert-manager", "elsewhere", "keda", "wakegate"];

/// Refuses fields that a kind does not have.
const APPLY: [&str; 5] = [
    "apply",
    "--server-side",
    "--force-conflicts",
    "--dry-run=server",
    "--validate=strict",
];

/// A cluster that knows all kinds, with nothing that looks at their objects.
async fn cluster() -> Result<Cluster> {
    let cluster = Cluster::start(ClusterOptions::BARE).await?;
    cluster.apply_crds(Crds::CertManager).await?;
    cluster.apply_crds(Crds::PrometheusOperator).await?;
    cluster.install_keda_crds().await?;
    for name in NAMESPACES {
        cluster
            .kubectl(&["create", "namespace", name], None)
            .await?;
    }
    Ok(cluster)
}

/// What the chart renders with a file of values.
async fn rendered(helm: &Helm, namespace: &Namespace, values: &str) -> Result<String> {
    let args = [
        "template",
        "wakegate",
        CHART,
        "--namespace",
        namespace.name(),
        "--values",
        values,
        // That of the combination need not be there.
        "--set=keda.namespace=keda",
    ];
    helm.run(&args).await
}

/// The API server takes all of them; returns what kubectl says of each.
async fn are_taken(cluster: &Cluster, objects: &str) -> Result<String> {
    let args = [&APPLY[..], &["--filename=-"]].concat();
    let taken = cluster.kubectl(&args, Some(objects)).await?;
    let heads = objects
        .lines()
        .filter(|line| line.starts_with("apiVersion:"));
    let n = heads.count();
    ensure!(taken.lines().count() == n, "{n} objects, and {taken}");
    Ok(taken)
}

#[tokio::test]
async fn the_api_server_takes_every_object_of_every_documented_combination() -> Result<()> {
    let cluster = cluster().await?;
    let helm = Helm::of(&cluster)?;
    let namespace = cluster.namespace("chart_objects").await?;
    let mut taken = String::new();
    let mut n_files = 0;
    for file in Path::new(CHART).join("ci").read_dir()? {
        let file = file?.path();
        let values = file.to_string_lossy();
        let objects = rendered(&helm, &namespace, &values).await?;
        let now = are_taken(&cluster, &objects)
            .await
            .with_context(|| values.clone().into_owned())?;
        ensure!(now.lines().count() > 10, "{values} renders {objects}");
        taken += &now;
        n_files += 1;
    }
    ensure!(n_files > 5, "only {n_files} combinations");
    for kind in [
        "certificate.cert-manager.io/",
        "clusterissuer.cert-manager.io/",
        "clustertriggerauthentication.keda.sh/",
        "podmonitor.monitoring.coreos.com/",
        "prometheusrule.monitoring.coreos.com/",
        "servicemonitor.monitoring.coreos.com/",
    ] {
        ensure!(taken.contains(kind), "no {kind} among {taken}");
    }
    namespace.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn it_takes_those_below_deploy_and_refuses_a_field_that_a_kind_lacks() -> Result<()> {
    let cluster = cluster().await?;
    for folder in ["base", "cert-manager", "http-add-on", "keda"] {
        let folder = format!("{DEPLOY}/{folder}");
        let args = [&APPLY[..], &["--kustomize", &folder]].concat();
        cluster.kubectl(&args, None).await?;
    }
    for (file, wrong) in [
        ("cert-manager/filters.yaml", "issuerRef: {nobody: x, "),
        ("cert-manager/issuer.yaml", "ca: {nobody: x, "),
    ] {
        let right = wrong.replace("nobody: x, ", "");
        let text = std::fs::read_to_string(Path::new(DEPLOY).join(file))?;
        ensure!(text.contains(&right), "{file} has no `{right}`");
        let taken = are_taken(&cluster, &text.replace(&right, wrong)).await;
        let said = taken.err().map(|error| format!("{error:#}"));
        let said = said.with_context(|| format!("{file} with `{wrong}` is taken"))?;
        ensure!(said.contains("field not declared in schema"), "{said}");
    }
    cluster.finish()
}
