//! What an `InterceptorRoute` or `HTTPScaledObject` says of itself: whether it is in force in every worker, what is
//! missing, and which of its fields have no effect.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{deployment, http_scaled_object, interceptor_route, service};
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::host;

#[tokio::test]
async fn a_route_is_ready_when_its_service_is_there_and_every_worker_has_it() -> Result<()> {
    let fallback = json!({ "fallback": { "service": { "name": "shop", "port": 80 } } });
    let route = interceptor_route("shop", "shop.test", "shop");
    let objects = [route.set("/coldStart", fallback)?];
    let scene = Scene::shared("route_status", &objects, &[host("shop")]).await?;
    says(&scene, ("Ready", "False"), "BackendNotHeld", "spec.target").await?;
    let field = "spec.coldStart.fallback";
    says(&scene, ("InForce", "False"), "FieldsNotInForce", field).await?;

    scene
        .apply(&[deployment("shop", &[]), service("shop")])
        .await?;
    says(&scene, ("Ready", "True"), "Reconciled", "").await?;
    let none = json!({ "spec": { "coldStart": null } }).to_string();
    let patch = [
        "patch",
        "interceptorroute",
        "shop",
        "--type=merge",
        "--patch",
        &none,
    ];
    scene.kubectl(&patch).await?;
    says(&scene, ("InForce", "True"), "InForce", "").await?;
    let shown = scene.kubectl(&["get", "interceptorroute"]).await?;
    is_shown(&shown, "NAME TARGETSERVICE READY AGE", "shop shop True")?;

    scene.kubectl(&["delete", "service", "shop"]).await?;
    says(&scene, ("Ready", "False"), "BackendNotHeld", "spec.target").await?;
    scene.apply(&[service("shop")]).await?;
    says(&scene, ("Ready", "True"), "Reconciled", "").await?;
    scene.finish().await
}

#[tokio::test]
async fn an_http_scaled_object_shows_what_it_is_for() -> Result<()> {
    let named = http_scaled_object("named", "named.test", "shop");
    let named = named.set("/scaleTargetRef/port", Value::Null)?;
    let named = named.set("/scaleTargetRef/portName", json!("http"))?;
    let skip = "httpscaledobject.keda.sh/skip-scaledobject-creation";
    let objects = [
        deployment("shop", &[]),
        service("shop"),
        http_scaled_object("shop", "shop.test", "shop").set("/replicas", json!({ "max": 4 }))?,
        // Two ScaledObjects of one workload would be one too many.
        named.annotated_as(skip, "true"),
    ];
    let scene = Scene::shared("http_so_status", &objects, &[host("shop")]).await?;
    for (name, service) in [("shop", "shop:80"), ("named", "shop:0")] {
        let kind = Kind::HTTP_SCALED_OBJECT;
        let ready = scene.condition(kind, name, ("Ready", "True")).await?;
        ensure!(ready["reason"] == "Reconciled", "it says {ready}");
        let status = |object: Option<&Value>| object?.pointer("/status").cloned();
        let status = scene.object(kind, name, "has a status", status).await?;
        ensure!(
            status["targetWorkload"] == "apps/v1/Deployment/shop"
                && status["targetService"] == service,
            "{name} says {status}"
        );
    }
    let failover = json!({ "spec": {
        "coldStartTimeoutFailoverRef": { "service": "shop", "port": 80 },
        "timeouts": { "responseHeader": "5s" },
    } });
    let failover = failover.to_string();
    let patch = [
        "patch",
        "httpso",
        "shop",
        "--type=merge",
        "--patch",
        &failover,
    ];
    scene.kubectl(&patch).await?;
    let (kind, partly) = (Kind::HTTP_SCALED_OBJECT, ("InForce", "False"));
    let partly = scene.condition(kind, "shop", partly).await?.to_string();
    for field in [
        "spec.coldStartTimeoutFailoverRef",
        "spec.timeouts.responseHeader",
    ] {
        ensure!(partly.contains(field), "it says {partly}");
    }
    let shown = scene.kubectl(&["get", "httpso", "shop"]).await?;
    let header = "NAME TARGETWORKLOAD TARGETSERVICE MINREPLICAS MAXREPLICAS AGE READY";
    is_shown(&shown, header, "shop apps/v1/Deployment/shop shop:80 4")?;
    scene.finish().await
}

/// Waits for a condition of the route, with its reason and what its message begins with, as the object stands now.
async fn says(
    scene: &Scene<'_>,
    (condition, status): (&str, &str),
    reason: &str,
    message: &str,
) -> Result<()> {
    let look = |object: Option<&Value>| {
        let object = object?;
        let generation = object.pointer("/metadata/generation");
        let conditions = object.pointer("/status/conditions")?.as_array()?;
        let is_it = |it: &&Value| {
            let said = it["message"].as_str().unwrap_or_default();
            it["type"] == condition
                && it["status"] == status
                && it["reason"] == reason
                && Some(&it["observedGeneration"]) == generation
                && said.starts_with(message)
        };
        conditions.iter().find(is_it).map(drop)
    };
    let what = format!("{condition} is {status} because of {reason}: {message}");
    scene
        .object(Kind::INTERCEPTOR_ROUTE, "shop", &what, look)
        .await
}

/// The header of a table, and how its one line begins.
fn is_shown(table: &str, header: &str, line: &str) -> Result<()> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = table.lines().map(words);
    let is_so = lines.next().is_some_and(|it| it == header)
        && lines.next().is_some_and(|it| it.starts_with(line));
    ensure!(is_so, "it shows {table}");
    Ok(())
}
