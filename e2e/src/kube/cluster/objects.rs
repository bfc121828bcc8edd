//! What is in a cluster before a test: CRDs, KEDA's namespace, webhooks and external metrics API, and what
//! Wakegate's own installation brings.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::kubectl::Kubectl;
use super::layout::Layout;
use super::program;
use crate::kube::objects::{gateway_class, list};

/// Where KEDA believes that it runs.
pub(super) const KEDA_NAMESPACE: &str = "keda";
/// The name under which the API server asks KEDA's adapter for its certificate.
pub(super) const ADAPTER_HOST: &str = "keda-metrics-apiserver.keda.svc";

/// Server-side, because client-side apply keeps the whole object in an annotation, which some CRDs are too
/// large for; unvalidated, because that would first download the schema of everything.
const APPLY: [&str; 4] = [
    "apply",
    "--server-side",
    "--force-conflicts",
    "--validate=false",
];

/// KEDA's CRDs, its namespace, its webhooks and its external metrics API.
pub(super) async fn apply_keda(kubectl: &Kubectl, layout: &Layout) -> Result<()> {
    let folder = program::keda_manifests()?;
    apply_keda_crds(kubectl).await?;
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": KEDA_NAMESPACE}},
        adapter_service(),
        adapter_api(&folder, layout)?,
        webhooks(&folder, layout)?,
    ]});
    apply_text(kubectl, &objects.to_string()).await
}

/// KEDA's CRDs alone.
pub(super) async fn apply_keda_crds(kubectl: &Kubectl) -> Result<()> {
    apply_path(kubectl, &program::keda_manifests()?.join("crd/bases")).await
}

/// The Gateway API's CRDs of the standard channel.
pub(super) async fn apply_gateway_api(kubectl: &Kubectl) -> Result<()> {
    apply_path(kubectl, &program::gateway_api_crds()?).await
}

/// The class of all Gateways: it belongs to the cluster, and tests that made it at once would be in each other's way.
pub(super) async fn apply_gateway_class(kubectl: &Kubectl) -> Result<()> {
    apply_text(kubectl, &list(&[gateway_class()])).await
}

/// Wakegate's own CRDs and roles, as a user applies them.
pub(super) async fn apply_wakegate(kubectl: &Kubectl) -> Result<()> {
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/base");
    apply(kubectl, &["--kustomize", base], None).await
}

/// What KEDA has to know of a Wakegate with TLS, as a user applies it.
pub(super) async fn apply_wakegate_for_keda(kubectl: &Kubectl) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/keda");
    apply(kubectl, &["--kustomize", folder], None).await
}

/// The CRDs of the KEDA HTTP add-on that Wakegate brings, as a user applies them.
pub(super) async fn apply_http_add_on(kubectl: &Kubectl) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/http-add-on");
    apply(kubectl, &["--kustomize", folder], None).await
}

/// An error that names a CRD that the API server does not serve yet.
pub(super) async fn are_established(client: Client) -> Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(client);
    let crds = crds.list(&ListParams::default()).await?;
    let missing = crds.items.iter().find(|crd| {
        let conditions = crd.status.as_ref().and_then(|it| it.conditions.as_ref());
        let is_established = conditions.into_iter().flatten().any(|condition| {
            condition.type_ == "Established" && condition.status.eq_ignore_ascii_case("true")
        });
        !is_established
    });
    match missing.and_then(|crd| crd.metadata.name.as_ref()) {
        Some(name) => anyhow::bail!("the CRD {name} is not established"),
        None => Ok(()),
    }
}

pub(super) async fn apply_path(kubectl: &Kubectl, path: &Path) -> Result<()> {
    apply(kubectl, &["--filename", &path.to_string_lossy()], None).await
}

async fn apply_text(kubectl: &Kubectl, text: &str) -> Result<()> {
    apply(kubectl, &["--filename", "-"], Some(text)).await
}

async fn apply(kubectl: &Kubectl, what: &[&str], stdin: Option<&str>) -> Result<()> {
    let args = [APPLY.as_slice(), what].concat();
    kubectl.run(&args, stdin).await.map(drop)
}

/// The API server finds the adapter through a Service; a name outside of the cluster needs no pods.
fn adapter_service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "keda-metrics-apiserver", "namespace": KEDA_NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    })
}

/// KEDA's `APIService`, at our adapter's port.
fn adapter_api(folder: &Path, layout: &Layout) -> Result<Value> {
    let mut object = read(&folder.join("metrics-server/api_service.yaml"))?;
    *member(&mut object, "/spec", "caBundle")? = authority(layout)?;
    *member(&mut object, "/spec/service", "port")? = layout.ports.adapter.into();
    Ok(object)
}

/// KEDA's webhooks with its own rules and failure policy, at our process instead of a Service.
fn webhooks(folder: &Path, layout: &Layout) -> Result<Value> {
    let mut object = read(&folder.join("webhooks/validation_webhooks.yaml"))?;
    let webhooks = object
        .pointer_mut("/webhooks")
        .and_then(Value::as_array_mut);
    for webhook in webhooks.context("it has webhooks")? {
        let path = webhook.pointer("/clientConfig/service/path");
        let path = path.and_then(Value::as_str).context("it has a path")?;
        let url = format!("https://127.0.0.1:{}{path}", layout.ports.webhooks);
        *member(webhook, "", "clientConfig")? = json!({"url": url, "caBundle": authority(layout)?});
    }
    Ok(object)
}

fn authority(layout: &Layout) -> Result<Value> {
    let pem = std::fs::read(layout.certificate("ca.crt")).context("read the authority")?;
    serde_json::to_value(ByteString(pem)).context("encode the authority")
}

/// The place of a member, there or not yet.
fn member<'a>(object: &'a mut Value, path: &str, name: &str) -> Result<&'a mut Value> {
    let parent = object.pointer_mut(path).and_then(Value::as_object_mut);
    let parent = parent.with_context(|| format!("no object at `{path}` in KEDA's manifest"))?;
    Ok(parent.entry(name).or_insert(Value::Null))
}

fn read(path: &PathBuf) -> Result<Value> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read {} of KEDA", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("parse {}", path.display()))
}
