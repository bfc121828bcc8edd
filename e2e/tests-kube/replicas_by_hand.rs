//! A floor of one replica, and replicas that a person sets.

use anyhow::{Result, ensure};
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::{QUICK, host, quick, routed, url, was_held};

#[tokio::test]
async fn with_one_replica_at_least_nothing_goes_to_zero() -> Result<()> {
    let objects = routed("shop", &quick(&[("min-replicas", "1")]));
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("min_replicas", &objects, &[host("shop")]).await?;
    let object = scene.scaled_object("shop").await?;
    scene.deployment_is_at("shop", 1).await?;
    let answer = scene.get(&url("shop")).await?;
    ensure!(answer.status == 200, "answered with {}", answer.status);
    // It was active and is no more: whoever would put it to zero has had every chance.
    let name = object.pointer("/metadata/name").and_then(|it| it.as_str());
    let name = name.unwrap_or_default();
    for status in ["True", "False"] {
        let active = ("Active", status);
        scene.condition(Kind::SCALED_OBJECT, name, active).await?;
    }
    scene.deployment_is_at("shop", 1).await?;
    scene.finish().await
}

#[tokio::test]
async fn what_is_scaled_by_hand_serves_and_sleeps_again() -> Result<()> {
    let objects = routed("shop", &QUICK);
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("by_hand", &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    was_held(&scene.get(&url("shop")).await?)?;
    scene.note("woken");
    // While it is awake, someone puts it to zero: the next request wakes it.
    scene
        .kubectl(&["scale", "deployment/shop", "--replicas=0"])
        .await?;
    scene.deployment_is_at("shop", 0).await?;
    scene.is_asleep(&url("shop")).await?;
    was_held(&scene.get(&url("shop")).await?)?;
    scene.note("woken again");
    scene.deployment_is_at("shop", 0).await?;
    scene.note("asleep");
    // While it sleeps, someone starts two: they serve, and go when nobody needs them.
    scene
        .kubectl(&["scale", "deployment/shop", "--replicas=2"])
        .await?;
    let rollout = ["rollout", "status", "deployment/shop", "--timeout=20s"];
    scene.kubectl(&rollout).await?;
    let answer = scene.get(&url("shop")).await?;
    ensure!(answer.status == 200, "answered with {}", answer.status);
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await
}
