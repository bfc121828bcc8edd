//! docs/install.md from its first line to its last, by a real shell: from nothing to a request that wakes a workload,
//! and back to nothing. The page for Istio as far as it goes without istiod.

mod in_place;
mod page;
mod plain;

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use wakegate_e2e::kube::objects::{deployment, gateway, list};
use wakegate_e2e::kube::{Crds, Shell, envoy_gateway_chart};
use wakegate_e2e::{Registry, programs};

use self::in_place::Table;
use crate::installed::{Installed, shop};

const INSTALL: &str = "docs/install.md";
/// The page that the fourth section of that one sends to.
const ATTACH: &str = "envoy-config/envoy-gateway/README.md";
const AFTER: &str = "5. A route";
const ISTIO: &str = "envoy-config/istio/README.md";

/// The lines of both pages, in the order in which a reader comes to them.
fn in_order() -> Result<Vec<String>> {
    let mut before = page::lines(INSTALL)?;
    let at = before.iter().position(|line| line.section == AFTER);
    let after = before.split_off(at.with_context(|| format!("{INSTALL} has no `{AFTER}`"))?);
    let attach = page::lines(ATTACH)?;
    ensure!(attach.len() > 3, "{ATTACH} has hardly a line");
    let all = before.into_iter().chain(attach).chain(after);
    Ok(all.map(|line| line.text).collect())
}

/// What the page says of what a line prints.
fn said(line: &str, printed: &str) -> Result<()> {
    let expected: &[&str] = if line.starts_with("curl ") {
        &["HTTP/1.1 200 OK", "x-wakegate-cold-start: true"]
    } else {
        &[]
    };
    for expected in expected {
        ensure!(printed.contains(expected), "no `{expected}`: {printed}");
    }
    Ok(())
}

#[tokio::test]
async fn every_line_works_and_the_request_is_held_and_answered() -> Result<()> {
    let installed = Installed::without_wakegate("wakegate", false).await?;
    let registry = Registry::start(Ipv4Addr::LOCALHOST.into()).await?;
    let chart = envoy_gateway_chart(&installed.cluster)?;
    let places = [
        ("{chart}", chart.display().to_string()),
        ("{registry}", registry.address().to_string()),
        ("{images}", programs::images()?.display().to_string()),
    ];
    let mut table = Table::new(in_place::INSTALL, places.into());
    let shell = Shell::of(&installed.cluster, &installed.helm)?;
    let mut asked = 0;
    for line in in_order()? {
        let printed = shell.run(&table.run_for(&line)).await?;
        said(&line, &printed).with_context(|| line.clone())?;
        asked += usize::from(line.starts_with("curl "));
    }
    ensure!(asked == 1, "{INSTALL} asks {asked} times");
    table.is_used_up()?;
    // The last line of the page is an uninstall, which brings back what sleeps.
    let replicas = "kubectl get deployment shop --output jsonpath='{.spec.replicas}'";
    let replicas = shell.run(replicas).await?;
    ensure!(replicas == "1", "{replicas} replicas in the end");
    installed.cluster.finish()
}

#[tokio::test]
async fn every_line_for_istio_is_taken_by_the_api_server_and_doctor_is_content() -> Result<()> {
    let installed = Installed::without_wakegate("wakegate", true).await?;
    let cluster = &installed.cluster;
    cluster.apply_crds(Crds::Istio).await?;
    let shell = Shell::of(cluster, &installed.helm)?;
    shell.run("kubectl create namespace istio-ingress").await?;
    // What the page presumes, and doctor looks for: the pods of an ingress gateway.
    let ingress = deployment("istio-ingressgateway", &[])
        .set("/template/metadata/labels/istio", json!("ingressgateway"))?
        .with("namespace", json!("istio-ingress"));
    cluster.apply(&list(&[ingress])).await?;
    installed
        .install(&["--set=filters.namespaces={istio-ingress}"])
        .await?;
    cluster.apply(&list(&[gateway("edge")])).await?;
    cluster.apply(&list(&shop("edge")?)).await?;
    let images = programs::images()?.display().to_string();
    let mut table = Table::new(in_place::ISTIO, vec![("{images}", images)]);
    let lines = page::lines(ISTIO)?;
    ensure!(lines.len() > 3, "{ISTIO} has hardly a line");
    for line in lines {
        shell.run(&table.run_for(&line.text)).await?;
    }
    table.is_used_up()?;
    let module = "kubectl get wasmplugin wakegate --namespace istio-ingress --output jsonpath='{.spec.sha256}'";
    let module = shell.run(module).await?;
    ensure!(module.len() == 64, "the module's digest is `{module}`");
    installed.cluster.finish()
}
