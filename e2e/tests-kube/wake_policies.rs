//! A `WakePolicy` does what annotations do, on each kind that it may target, and says what became of it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::try_join;
use wakegate_e2e::kube::objects::{
    deployment, gateway, grpc_route, http_route, ingress, service, wake_policy,
};
use wakegate_e2e::kube::{Host, Kind, Scene};

use crate::cycle::{from_zero_and_back, from_zero_and_back_by_grpc};

/// Only a Service's own may say how its workload scales.
const QUICK: [(&str, &str); 1] = [("cooldown", "1s")];

#[tokio::test]
async fn a_policy_on_each_kind_scales_from_zero_and_back() -> Result<()> {
    let hold = json!({ "hold": { "timeout": "50s" } });
    let scale = json!({ "scale": { "cooldown": "1s" } });
    let objects = [
        gateway("edge"),
        deployment("calls", &[]),
        service("calls").annotated(&QUICK),
        grpc_route("calls", "edge", "calls.test", "calls"),
        wake_policy("calls", ("GRPCRoute", "calls"), hold.clone()),
        deployment("pages", &[]),
        service("pages").annotated(&QUICK),
        ingress("pages", "pages.test", "pages"),
        wake_policy("pages", ("Ingress", "pages"), hold.clone()),
        deployment("shop", &[]),
        service("shop").annotated(&QUICK),
        http_route("shop", "edge", "shop.test", "shop"),
        wake_policy("shop", ("HTTPRoute", "shop"), hold),
        deployment("things", &[]),
        service("things"),
        http_route("things", "edge", "things.test", "things"),
        wake_policy("things", ("Service", "things"), scale),
    ];
    let names = ["calls", "pages", "shop", "things"];
    let hosts = names.map(|name| Host::new(&format!("{name}.test"), &format!("{name}/80")));
    let scene = Scene::shared("policy_on_each_kind", &objects, &hosts).await?;
    try_join!(
        from_zero_and_back_by_grpc(&scene, "calls", "calls.test"),
        from_zero_and_back(&scene, "pages", "http://pages.test/"),
        from_zero_and_back(&scene, "shop", "http://shop.test/"),
        from_zero_and_back(&scene, "things", "http://things.test/"),
    )?;
    for name in names {
        is_in_force(&scene, name).await?;
    }
    scene.finish().await
}

#[tokio::test]
async fn of_two_with_one_target_the_older_counts_until_it_goes() -> Result<()> {
    // Those of one second are told apart by their names.
    let policy = |name: &str, timeout: &str| {
        let hold = json!({ "hold": { "timeout": timeout } });
        wake_policy(name, ("HTTPRoute", "shop"), hold)
    };
    let objects = [
        gateway("edge"),
        deployment("shop", &[]),
        service("shop"),
        http_route("shop", "edge", "shop.test", "shop"),
        policy("a-first", "50s"),
        policy("b-second", "51s"),
    ];
    let hosts = [Host::new("shop.test", "shop/80")];
    let mut scene = Scene::shared("two_policies", &objects, &hosts).await?;
    says(&scene, "a-first", ("Programmed", "True")).await?;
    let conflict = says(&scene, "b-second", ("Accepted", "False")).await?;
    let text = conflict.to_string();
    ensure!(
        text.contains("Conflicted") && text.contains("a-first"),
        "it says {text}"
    );
    scene.kubectl(&["delete", "wakepolicy", "a-first"]).await?;
    says(&scene, "b-second", ("Programmed", "True")).await?;
    scene.kill_envoy()?;
    let alone = says(&scene, "b-second", ("Programmed", "False")).await?;
    ensure!(alone.to_string().contains("NoWorker"), "it says {alone}");
    scene.finish().await
}

/// Waits for a condition of the one ancestor of a policy.
async fn says(scene: &Scene<'_>, policy: &str, (condition, status): (&str, &str)) -> Result<Value> {
    let look = |object: Option<&Value>| {
        let ancestor = object?.pointer("/status/ancestors/0")?;
        condition_of(ancestor, (condition, status)).cloned()
    };
    let what = format!("{condition} is {status}");
    scene.object(Kind::WAKE_POLICY, policy, &what, look).await
}

/// The condition of an ancestor, if it is so.
fn condition_of<'a>(ancestor: &'a Value, (condition, status): (&str, &str)) -> Option<&'a Value> {
    let conditions = ancestor.pointer("/conditions")?.as_array()?;
    conditions.iter().find(|it| {
        it.pointer("/type").is_some_and(|it| it == condition)
            && it.pointer("/status").is_some_and(|it| it == status)
    })
}

/// Accepted, resolved, and with every worker, for its one target and as it stands now.
async fn is_in_force(scene: &Scene<'_>, name: &str) -> Result<()> {
    let is_true = |ancestor: &Value, condition: &str| {
        let found = condition_of(ancestor, (condition, "True"))?;
        found.pointer("/observedGeneration")?.as_u64()
    };
    let look = |policy: Option<&Value>| {
        let policy = policy?;
        let ancestors = policy.pointer("/status/ancestors")?.as_array()?;
        let [ancestor] = ancestors.as_slice() else {
            return None;
        };
        let generation = policy.pointer("/metadata/generation")?.as_u64();
        let conditions = ["Accepted", "ResolvedRefs", "Programmed"];
        conditions
            .iter()
            .all(|condition| is_true(ancestor, condition) == generation)
            .then(|| ancestor.clone())
    };
    let what = "is in force";
    let ancestor = scene.object(Kind::WAKE_POLICY, name, what, look).await?;
    let target = ancestor.pointer("/ancestorRef/name");
    let target = target.context("an ancestor has a name")?;
    ensure!(*target == name, "its ancestor is {target}");
    Ok(())
}
