//! Whatever is wrong with one object is said on that object, and no other notices.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{
    Object, deployment, gateway, grpc_route, http_route, ingress, service, wake_policy,
};
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::{QUICK, from_zero_and_back, host, quick, routed, url};

/// Kind and name of the object that is wrong, and what a Warning about it must name.
const TOLD: [(&str, &str, &[&str]); 10] = [
    ("HTTPRoute", "value", &["wakegate.dev/hold-timeout", "soon"]),
    (
        "HTTPRoute",
        "key",
        &["wakegate.dev/max-hold", "wakegate.dev/max-held"],
    ),
    (
        "HTTPRoute",
        "lonely",
        &["nobody", "wakegate.dev/scale-target"],
    ),
    ("HTTPRoute", "lost", &["no-such-service"]),
    ("HTTPRoute", "outside", &["ExternalName"]),
    (
        "HTTPRoute",
        "alike",
        &["one", "other", "wakegate.dev/scale-target"],
    ),
    ("GRPCRoute", "pattern", &["method.service", "sh(op"]),
    (
        "Gateway",
        "lame",
        &["spec.listeners[0].allowedRoutes.namespaces.selector"],
    ),
    ("Ingress", "value", &["wakegate.dev/overflow", "500"]),
    (
        "Service",
        "typo",
        &["wakegate.dev/cooldwn", "wakegate.dev/cooldown"],
    ),
];

#[tokio::test]
async fn each_is_told_what_is_wrong_and_the_good_ones_work() -> Result<()> {
    let good = routed("good", &QUICK);
    let edge = [gateway("edge")];
    let objects: [&[Object]; 4] = [&edge, &good, &wrong_routes()?, &wrong_others()?];
    let scene = Scene::shared("wrong_objects", &objects.concat(), &[host("good")]).await?;
    for (kind, name, words) in TOLD {
        let told = scene.warning(kind, name, words).await?;
        scene.note(&format!("{kind} {name}: {}: {}", told.reason, told.message));
    }
    is_refused(&scene, "lost").await?;
    from_zero_and_back(&scene, "good", &url("good")).await?;
    scene.finish().await
}

fn wrong_routes() -> Result<Vec<Object>> {
    let to = |name: &str, service: &str, annotations: &[(&str, &str)]| {
        http_route(name, "edge", &format!("{name}.test"), service).annotated(annotations)
    };
    let outside = json!({ "type": "ExternalName", "externalName": "example.com" });
    let twice = |name: &str| {
        let labels = json!({ "app": name, "twice": "yes" });
        deployment(name, &[]).set("/template/metadata/labels", labels)
    };
    Ok(vec![
        to("value", "good", &quick(&[("hold-timeout", "soon")])),
        to("key", "good", &quick(&[("max-hold", "5")])),
        service("nobody"),
        to("lonely", "nobody", &QUICK),
        to("lost", "no-such-service", &QUICK),
        Object::new("v1", "Service", "outside", outside),
        to("outside", "outside", &QUICK),
        twice("one")?,
        twice("other")?,
        service("alike").set("/selector", json!({ "twice": "yes" }))?,
        to("alike", "alike", &QUICK),
    ])
}

fn wrong_others() -> Result<Vec<Object>> {
    let pattern = json!([ { "method": { "type": "RegularExpression", "service": "sh(op" } } ]);
    let pattern = grpc_route("pattern", "edge", "grpc.test", "good")
        .annotated(&QUICK)
        .set("/rules/0/matches", pattern)?;
    let nobody = json!({ "namespaces": { "from": "Selector" } });
    let lame = gateway("lame").set("/listeners/0/allowedRoutes", nobody)?;
    Ok(vec![
        pattern,
        lame,
        ingress("value", "ingress.test", "good").annotated(&quick(&[("overflow", "500")])),
        service("typo").annotated(&quick(&[("cooldwn", "1s")])),
        wake_policy("lost", ("HTTPRoute", "no-such-route"), json!({})),
    ])
}

/// Two objects that disagree about one backend: one of them counts, the other is told.
#[tokio::test]
async fn two_that_disagree_are_told_and_the_workload_scales() -> Result<()> {
    let [deployment, service, route] = routed("shop", &quick(&[("max-replicas", "3")]));
    let other = http_route("shop-again", "edge", "again.test", "shop")
        .annotated(&quick(&[("max-replicas", "5")]));
    let objects = [gateway("edge"), deployment, service, route, other];
    let scene = Scene::shared("disagree", &objects, &[host("shop")]).await?;
    scene
        .warning("HTTPRoute", "shop-again", &["max-replicas"])
        .await?;
    let object = scene.scaled_object("shop").await?;
    let most = object
        .pointer("/spec/maxReplicaCount")
        .and_then(Value::as_u64);
    ensure!(most == Some(3), "the older one counts, and says {most:?}");
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await
}

/// Some target has a condition that is not so.
async fn is_refused(scene: &Scene<'_>, policy: &str) -> Result<()> {
    let look = |object: Option<&Value>| {
        let ancestors = object?.pointer("/status/ancestors")?.as_array()?;
        let conditions = ancestors
            .iter()
            .filter_map(|ancestor| ancestor.pointer("/conditions")?.as_array())
            .flatten();
        let is_false = |it: &&Value| it.pointer("/status").is_some_and(|it| it == "False");
        conditions.into_iter().find(is_false).cloned()
    };
    let what = "has a condition that is False";
    let condition = scene.object(Kind::WAKE_POLICY, policy, what, look).await?;
    scene.note(&format!("WakePolicy {policy}: {condition}"));
    Ok(())
}
