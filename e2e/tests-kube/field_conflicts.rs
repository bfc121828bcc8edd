//! A field of our ScaledObject that somebody else takes is theirs: we say so once, do not fight, and go on.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::eventually;
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{Kind, SOON, Scene, Told};

use crate::cycle::{from_zero_and_back, host, quick, routed, url};

const CONFLICTS: &str =
    "wakegate_control_plane_writes_total{what=\"scaled_object\",outcome=\"conflict\"}";
/// For a fight to show. A write that fails otherwise is tried again after 1 s, 2 s, and so on.
const A_WHILE: Duration = Duration::from_secs(6);
/// Our try, one more for whoever else of the tests may have one meanwhile.
const N_TRIES: f64 = 2.0;

#[tokio::test]
async fn a_field_that_somebody_takes_is_theirs() -> Result<()> {
    let objects = routed("shop", &quick(&[("max-replicas", "5")]));
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("field_conflict", &objects, &[host("shop")]).await?;
    let name = scene.scaled_object_name("shop").await?;
    let name = name.as_str();
    let conflicts = async || scene.wakegate().control_plane(0)?.counted(CONFLICTS).await;
    let before = conflicts().await?;
    take_the_most(&scene, name, 7).await?;
    is_told(&scene).await?;
    let first = conflicts().await? - before;
    ensure!(
        (1.0..=N_TRIES).contains(&first),
        "tried {first} times for one change"
    );

    // Who asks for another number is not heard either, and is one try.
    let more = "wakegate.dev/max-replicas=6";
    scene
        .kubectl(&["annotate", "httproute", "shop", more, "--overwrite"])
        .await?;
    let again = async || (conflicts().await.ok()? > before + first).then_some(());
    eventually(SOON, "the new number is tried", again).await?;
    let theirs = |object: Option<&Value>| {
        let most = object?.pointer("/spec/maxReplicaCount")?.as_u64()?;
        let generation = object?.pointer("/metadata/generation")?.as_u64()?;
        Some((most, generation))
    };
    let kind = Kind::SCALED_OBJECT;
    let at_rest = scene.object(kind, name, "is there", theirs).await?;
    ensure!(at_rest.0 == 7, "theirs is {}", at_rest.0);
    let stays = |object: Option<&Value>| theirs(object) == Some(at_rest);
    let what = "is as they left it";
    scene
        .object_throughout((kind, name), what, A_WHILE, stays)
        .await?;
    let tries = conflicts().await? - before;
    ensure!(
        tries <= 2.0 * N_TRIES,
        "tried {tries} times for two changes"
    );

    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

/// As a tool does that applies what is in a repository, with a field that was ours.
async fn take_the_most(scene: &Scene<'_>, name: &str, most: u64) -> Result<()> {
    let object = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": { "name": name },
        "spec": { "maxReplicaCount": most },
    });
    let args = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=gitops",
        "--validate=false",
        "--filename=-",
    ];
    scene.kubectl_with(&args, &object.to_string()).await?;
    Ok(())
}

async fn is_told(scene: &Scene<'_>) -> Result<()> {
    let reason = "ScaledObjectConflict";
    let is_it = |told: &Told| {
        told.reason == reason
            && ["spec.maxReplicaCount", "gitops"]
                .iter()
                .all(|word| told.message.contains(word))
    };
    let told = scene.event(0, ("Service", "shop"), reason, is_it).await?;
    scene.note(&told.message);
    Ok(())
}
