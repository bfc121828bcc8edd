//! What someone else scales already is theirs: we write nothing, say so, and route on.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{Object, gateway};
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::{QUICK, host, routed, url};

#[tokio::test]
async fn a_foreign_hpa_is_left_alone_and_named() -> Result<()> {
    let hpa = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" },
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [ { "type": "Resource", "resource": {
            "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } } } ],
    });
    let theirs = Object::new("autoscaling/v2", "HorizontalPodAutoscaler", "theirs", hpa);
    Box::pin(is_left_alone("foreign_hpa", Kind::HPA, theirs)).await
}

#[tokio::test]
async fn so_is_a_foreign_scaled_object() -> Result<()> {
    let object = json!({
        "scaleTargetRef": { "name": "shop" },
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
        "triggers": [ { "type": "cpu", "metricType": "Utilization", "metadata": { "value": "80" } } ],
    });
    let theirs = Object::new("keda.sh/v1alpha1", "ScaledObject", "theirs", object);
    Box::pin(is_left_alone(
        "foreign_scaled_object",
        Kind::SCALED_OBJECT,
        theirs,
    ))
    .await
}

async fn is_left_alone(test: &str, kind: Kind, theirs: Object) -> Result<()> {
    let [shop, service, route] = routed("shop", &QUICK);
    // KEDA's webhook asks for limits where a trigger is about the CPU.
    let limits = json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "100m" } });
    let shop = shop.set("/template/spec/containers/0/resources", limits)?;
    let shop = shop.set("/replicas", json!(1))?;
    let objects = [gateway("edge"), shop, service, theirs];
    let scene = Scene::shared(test, &objects, &[host("shop")]).await?;
    scene.apply(&[route]).await?;
    scene.warning("HTTPRoute", "shop", &["theirs"]).await?;
    let answer = scene.get(&url("shop")).await?;
    ensure!(
        answer.status == 200,
        "its requests go on: {}",
        answer.status
    );
    let names = scene
        .kubectl(&["get", "scaledobjects", "--output=name"])
        .await?;
    let is_ours = |name: &&str| !name.ends_with("/theirs");
    ensure!(names.lines().find(is_ours).is_none(), "there are {names}");
    let generation = |object: Option<&Value>| object?.pointer("/metadata/generation")?.as_u64();
    if kind == Kind::SCALED_OBJECT {
        let seen = scene.object(kind, "theirs", "is there", generation).await?;
        ensure!(seen == 1, "theirs was changed: generation {seen}");
    }
    scene.finish().await
}
