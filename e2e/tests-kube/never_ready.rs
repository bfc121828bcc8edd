//! A workload that never becomes ready: its requests are held to the limit and answered with 504, and an Event
//! on its route says why.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::{self, Instant};
use tokio::try_join;
use wakegate_e2e::kube::Scene;
use wakegate_e2e::kube::objects::{Object, gateway};

use crate::cycle::{host, quick, routed, url};

/// Longer than it takes until KEDA, on a busy machine, has scaled and the control plane explains. After it the
/// workload is put back to zero, and nobody is stuck any more.
const HOLD: (&str, &str) = ("hold-timeout", "14s");
const LIMIT: Duration = Duration::from_secs(30);

const CONTAINER: &str = "/template/spec/containers/0";

#[tokio::test]
async fn its_requests_end_with_504_and_an_event_says_why() -> Result<()> {
    let image = broken("image", "/image", json!("registry.invalid/nobody:none"))?;
    let crash = broken("crash", "/args", json!(["--no-such-flag"]))?;
    let large = json!({ "requests": { "cpu": "4000" } });
    let unschedulable = broken("unschedulable", "/resources", large)?;
    let more = json!({ "requests": { "memory": "2Ti" } });
    let quota = broken("quota", "/resources", more)?;
    let limit = json!({ "hard": { "requests.memory": "1Ti" } });
    let limit = Object::new("v1", "ResourceQuota", "small", limit);
    let objects = [
        &[gateway("edge"), limit],
        &image[..],
        &crash,
        &unschedulable,
        &quota,
    ];
    let names = ["image", "crash", "unschedulable", "quota"];
    let hosts = names.map(host);
    let scene = Scene::shared("never_ready", &objects.concat(), &hosts).await?;
    try_join!(
        is_explained(&scene, "image", &["image"]),
        is_explained(&scene, "crash", &["crash"]),
        is_explained(&scene, "unschedulable", &["schedul"]),
        is_explained(&scene, "quota", &["quota"]),
    )?;
    scene.finish().await
}

/// One whose container has a field that lets it never become ready.
fn broken(name: &str, field: &str, value: Value) -> Result<[Object; 3]> {
    let [deployment, service, route] = routed(name, &quick(&[HOLD]));
    let deployment = deployment.set(&format!("{CONTAINER}{field}"), value)?;
    // A quota of memory asks every container for its share.
    let deployment = match name {
        "quota" => deployment,
        _ => deployment.set(
            &format!("{CONTAINER}/resources/requests/memory"),
            json!("64Mi"),
        )?,
    };
    Ok([deployment, service, route])
}

async fn is_explained(scene: &Scene<'_>, name: &str, words: &[&str]) -> Result<()> {
    scene.scaled_object(name).await?;
    let began = Instant::now();
    let request = async {
        let url = url(name);
        let answer = time::timeout(LIMIT, scene.get(&url)).await??;
        ensure!(
            answer.status == 504,
            "{name}: answered with {} after {:?}: {}",
            answer.status,
            began.elapsed(),
            answer.text()
        );
        Ok(())
    };
    let told = async {
        let told = scene.warning("HTTPRoute", name, words).await?;
        scene.note(&format!("{name}: {}: {}", told.reason, told.message));
        Ok(())
    };
    try_join!(request, told).map(drop)
}
