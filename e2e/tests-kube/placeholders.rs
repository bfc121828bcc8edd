//! The placeholder of an `InterceptorRoute` is answered at once while no endpoint is ready, and wakes the workload all
//! the same; its body may be in a ConfigMap.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::time;
use wakegate_e2e::client::{Answer, H2, get, read};
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::objects::{config_map, deployment, interceptor_route, service};
use wakegate_e2e::kube::{SOON, Scene};

use crate::add_on::{is_ready, passes, routed};
use crate::cycle::{host, url, woken_by_keda};

/// Far from the minute that requests are held.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn one_is_answered_at_once_and_the_workload_wakes() -> Result<()> {
    let response = json!({
        "body": "<html>soon</html>",
        "headers": { "Retry-After": "1", "x-from": "placeholder" },
    });
    let placeholder = json!({ "placeholder": { "response": response } });
    let [deployment, service, route, scaled] = routed("shop").await?;
    let route = route.set("/coldStart", placeholder)?;
    let objects = [deployment, service, route, scaled];
    let scene = Scene::shared("placeholder", &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    let answer = at_once(&scene, &url("shop")).await?;
    let told = |name| answer.header(name);
    ensure!(
        answer.status == 503
            && answer.text() == "<html>soon</html>"
            && told("content-type") == "text/html; charset=utf-8"
            && told("retry-after") == "1"
            && told("x-from") == "placeholder"
            && told("x-keda-http-cold-start").is_empty(),
        "it is {answer:?}"
    );
    // By this one request.
    woken_by_keda(&scene, "shop").await?;
    passes(&scene, &url("shop")).await?;
    scene.deployment_is_at("shop", 0).await?;
    scene.is_asleep(&url("shop")).await?;
    let again = at_once(&scene, &url("shop")).await?;
    ensure!(again.status == 503, "again it is {again:?}");
    scene.finish().await
}

#[tokio::test]
async fn a_body_is_an_entry_of_a_config_map() -> Result<()> {
    let body = json!({ "bodyFromConfigMap": { "name": "pages", "key": "wait.html" } });
    let scene = with_pages("page_by_key", body).await?;
    says(&scene, "/any/path", (503, WAIT, "text/html; charset=utf-8")).await?;

    // Whoever asks next is told what it says now.
    scene
        .apply(&[config_map("pages", json!({ "wait.html": "<p>later" }))])
        .await?;
    let later = (503, "<p>later", "text/html; charset=utf-8");
    says(&scene, "/", later).await?;

    scene.kubectl(&["delete", "configmap", "pages"]).await?;
    let failure = (500, "Internal Server Error\n", "text/plain");
    says(&scene, "/", failure).await?;
    scene
        .warning("InterceptorRoute", "shop", &["pages", "500"])
        .await?;
    scene.finish().await
}

#[tokio::test]
async fn without_a_key_it_is_the_entry_of_the_path() -> Result<()> {
    let body = json!({ "statusCode": 202, "bodyFromConfigMap": { "name": "pages" } });
    let scene = with_pages("page_by_path", body).await?;
    says(&scene, "/", (202, "<p>hello", "text/html; charset=utf-8")).await?;
    says(
        &scene,
        "/wait.html?x=1",
        (202, WAIT, "text/html; charset=utf-8"),
    )
    .await?;
    says(
        &scene,
        "/look.css",
        (202, "p {}", "text/css; charset=utf-8"),
    )
    .await?;
    says(&scene, "/missing.html", (202, "", "")).await?;
    scene.finish().await
}

/// Those for which there is room are held.
#[tokio::test]
async fn one_for_the_overflow_is_for_nobody_else() -> Result<()> {
    let cold_start = json!({
        "maxPendingRequests": 2,
        "overflow": "Placeholder",
        "placeholder": { "response": { "statusCode": 429, "body": "full" } },
    });
    let route = interceptor_route("shop", "shop.test", "shop").set("/coldStart", cold_start)?;
    let objects = [deployment("shop", &[]), service("shop"), route];
    let scene = Scene::shared("overflow", &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    // One connection is one worker's, which counts for itself.
    let connection = H2::open(scene.envoy()?.address()).await?;
    let ask = || Ok::<_, anyhow::Error>(Box::pin(connection.send(get(&url("shop"))?)));
    let mut held = [ask()?, ask()?];
    let answer = time::timeout(AT_ONCE, ask()?)
        .await
        .context("it is held")??;
    let answer = read(answer).await?;
    ensure!(
        answer.status == 429 && answer.text() == "full",
        "it is {answer:?}"
    );
    let is_held = held.iter_mut().all(|it| it.now_or_never().is_none());
    ensure!(is_held, "those before it are held");
    let scale = ["scale", "deployment", "shop", "--replicas=1"];
    scene.kubectl(&scale).await?;
    for request in held {
        let answer = read(request.await?).await?;
        crate::add_on::was_held(&answer)?;
    }
    scene.finish().await
}

const WAIT: &str = "<p>wait";

/// One whose workload nobody scales.
async fn with_pages(test: &str, response: Value) -> Result<Scene<'static>> {
    let placeholder = json!({ "placeholder": { "response": response } });
    let pages = json!({ "index.html": "<p>hello", "wait.html": WAIT, "look.css": "p {}" });
    let objects = [
        config_map("pages", pages),
        deployment("shop", &[]),
        service("shop"),
        interceptor_route("shop", "shop.test", "shop").set("/coldStart", placeholder)?,
    ];
    let scene = Scene::shared(test, &objects, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    Ok(scene)
}

/// Waits until a path is answered with a status, a body and a content type.
async fn says(
    scene: &Scene<'_>,
    path: &str,
    (status, body, kind): (u16, &str, &str),
) -> Result<()> {
    let url = format!("http://shop.test{path}");
    let look = async || {
        let answer = at_once(scene, &url).await?;
        let kind = answer.header("content-type").to_owned();
        Ok((answer.status, answer.text(), kind))
    };
    let expected = (status, body.to_owned(), kind.to_owned());
    eventually_is(SOON, &url, expected, look).await
}

async fn at_once(scene: &Scene<'_>, url: &str) -> Result<Answer> {
    let answer = time::timeout(AT_ONCE, scene.get(url)).await;
    answer.with_context(|| format!("{url} is held"))?
}
