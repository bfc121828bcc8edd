//! The cluster that all other tests stand on: its controllers control, KEDA answers, and the HPA can ask it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::Cluster;

const LIMIT: Duration = Duration::from_secs(20);

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: wakegate/sample-app}]}
";

/// Nobody listens there: KEDA says so.
fn scaled_object(name: &str) -> String {
    format!(
        "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: {name}}}
spec:
  scaleTargetRef: {{name: shop}}
  triggers: [{{type: external, metadata: {{scalerAddress: '127.0.0.1:1'}}}}]
"
    )
}

#[tokio::test]
async fn the_cluster_is_real() -> Result<()> {
    let cluster = Cluster::shared().await?;
    println!("the shared cluster was ready in {:?}", cluster.started_in());
    let namespace = cluster.namespace("the_cluster_is_real").await?;

    namespace.apply(DEPLOYMENT).await?;
    let deployments = namespace.api::<Deployment>();
    let available = async || {
        let status = deployments.get("shop").await?.status;
        Ok(status.and_then(|status| status.available_replicas))
    };
    eventually_is(LIMIT, "available replicas", Some(2), available).await?;

    namespace.apply(&scaled_object("shop")).await?;
    let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    let ready = ["get", "scaledobject", "shop", "--output", ready];
    let look = async || namespace.kubectl(&ready, None).await;
    eventually_is(LIMIT, "KEDA's condition Ready", "False".to_owned(), look).await?;
    let second = namespace.apply(&scaled_object("shop-again")).await;
    let refused = second.err().context("KEDA's webhook lets a second pass")?;
    let text = format!("{refused:#}");
    ensure!(
        text.contains("vscaledobject.kb.io"),
        "refused by another: {text}"
    );

    let path = "/apis/external.metrics.k8s.io/v1beta1";
    let metrics = cluster.kubectl(&["get", "--raw", path], None).await?;
    ensure!(
        metrics.contains("external.metrics.k8s.io"),
        "it says {metrics}"
    );

    namespace.finish().await
}
