//! When a backend does not come, or there is no room to wait for it, the client is told so in its own
//! language.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::{HeaderValue, Request};
use serde_json::json;
use wakegate_e2e::client::{Answer, Body, H2, Talk, get, read};
use wakegate_e2e::{NAMESPACE, SERVICE_PORT, Service, Stack, eventually_is};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_hold_ends_with_504_in_three_content_types() -> Result<()> {
    let shop = Service::new("shop").with("hold-timeout", "1s");
    let stack = Stack::of(&[&shop]).await?;
    let connection = H2::open(stack.address()?).await?;
    let begin = Instant::now();
    let text = connection.send(get(&shop.url("/"))?);
    let json = connection.send(accepting(&shop, "application/json")?);
    let mut talk = Talk::open(stack.address()?, &shop.host()).await?;
    let (text, json, grpc) = tokio::join!(text, json, talk.say("anyone?"));
    ensure!(
        begin.elapsed() >= Duration::from_secs(1),
        "held for {:?}",
        begin.elapsed()
    );
    ensure!(
        begin.elapsed() < Duration::from_secs(3),
        "held for {:?}",
        begin.elapsed()
    );
    speaks_for_itself(&read(text?).await?, &read(json?).await?, 504)?;
    is_unavailable(&grpc.err().context("gRPC fails")?)?;
    let n_timeouts = async || stack.counted("hold_timeout_total").await;
    eventually_is(SOON, "holds that timed out", 3, n_timeouts).await?;
    stack.held_is(0, SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn no_room_is_answered_at_once_in_three_content_types() -> Result<()> {
    let shop = Service::new("shop").with("max-held", "1");
    let busy = Service::new("busy")
        .with("max-held", "1")
        .with("overflow", "429");
    let stack = Stack::of(&[&shop, &busy]).await?;
    // One connection, one worker: its one place is taken.
    let connection = H2::open(stack.address()?).await?;
    let waiting = [
        connection.send(get(&shop.url("/"))?),
        connection.send(get(&busy.url("/"))?),
    ];
    stack.held_is(2, SOON).await?;
    let text = read(connection.send(get(&shop.url("/"))?).await?).await?;
    let json = read(
        connection
            .send(accepting(&shop, "application/json")?)
            .await?,
    )
    .await?;
    speaks_for_itself(&text, &json, 503)?;
    let mut grpc = get(&shop.url("/wakegate.e2e.Talk/Say"))?;
    grpc.headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    let grpc = read(connection.send(grpc).await?).await?;
    ensure!(
        grpc.status == 200 && grpc.header("grpc-status") == "14",
        "trailers-only: {grpc:?}"
    );

    let too_many = read(connection.send(get(&busy.url("/"))?).await?).await?;
    ensure!(
        too_many.status == 429,
        "the route's own status, not {}",
        too_many.status
    );
    ensure!(!too_many.header("retry-after").is_empty(), "retry-after");
    let n_overflows = async || stack.counted("overflow_total").await;
    eventually_is(SOON, "overflows", 4, n_overflows).await?;
    drop(waiting);
    stack.held_is(0, SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_backend_paused_at_zero_is_refused_at_once() -> Result<()> {
    let shop = Service::new("shop");
    let paused = format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  namespace: {NAMESPACE}\n  \
         name: shop\n  annotations: {{autoscaling.keda.sh/paused-replicas: \"0\"}}\nspec:\n  \
         scaleTargetRef: {{name: shop}}\n  triggers: []\n"
    );
    let stack = Stack::builder()
        .serve(shop.clone())
        .manifest("paused.yaml", paused)
        .start()
        .await?;
    let answer = stack.get(&shop, "/").await?;
    ensure!(answer.status == 503, "{}", answer.status);
    ensure!(
        answer.text().contains("paused"),
        "it says why: {}",
        answer.text()
    );
    stack.manifests.remove("paused.yaml")?;
    let connection = H2::open(stack.address()?).await?;
    let held = connection.send_until_held(&shop.url("/"), SOON).await?;
    let app = stack.wake(&shop).await?;
    let answer = read(held.await?).await?;
    ensure!(answer.status == 200, "no longer paused: {}", answer.status);
    app.stop(SOON).await?;
    stack.finish().await
}

fn accepting(service: &Service, accept: &'static str) -> Result<Request<Body>> {
    let mut request = get(&service.url("/"))?;
    request
        .headers_mut()
        .insert("accept", HeaderValue::from_static(accept));
    Ok(request)
}

fn speaks_for_itself(text: &Answer, json: &Answer, status: u16) -> Result<()> {
    let backend = format!("{NAMESPACE}/shop/{SERVICE_PORT}");
    for answer in [text, json] {
        ensure!(
            answer.status == status,
            "{}: {}",
            answer.status,
            answer.text()
        );
        let retry_after = answer.header("retry-after");
        ensure!(
            retry_after.parse().is_ok_and(|secs: u64| secs >= 1),
            "retry-after: {retry_after}"
        );
        ensure!(
            answer.text().contains(&backend),
            "it names the backend: {}",
            answer.text()
        );
    }
    ensure!(
        text.header("content-type").starts_with("text/plain"),
        "{text:?}"
    );
    ensure!(
        json.header("content-type") == "application/problem+json",
        "{json:?}"
    );
    ensure!(
        json.json()?.get("status") == Some(&json!(status)),
        "{}",
        json.text()
    );
    Ok(())
}

fn is_unavailable(status: &tonic::Status) -> Result<()> {
    ensure!(status.code() == tonic::Code::Unavailable, "{status:?}");
    ensure!(
        status.message().contains("shop"),
        "it names the backend: {status:?}"
    );
    Ok(())
}
