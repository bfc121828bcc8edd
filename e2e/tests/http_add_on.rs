//! The objects of the KEDA HTTP add-on, unchanged, from files: what is held, what is answered meanwhile, and what
//! wakes whom.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::HeaderValue;
use wakegate_e2e::autoscaler::{Autoscaler, Event, ScaledObject};
use wakegate_e2e::client::{Version, fetch, full, get, post};
use wakegate_e2e::{Service, Stack, StackBuilder, eventually};

const SOON: Duration = Duration::from_secs(20);
const COLD_START: &str = "x-keda-http-cold-start";

/// A Service whose HTTPRoute says nothing of us, and an InterceptorRoute for its host with `more` in its spec.
async fn stack_of(web: &Service, more: &str) -> Result<Stack> {
    stack_from(Stack::builder(), web, more).await
}

async fn stack_from(builder: StackBuilder, web: &Service, more: &str) -> Result<Stack> {
    let (name, host) = (&web.name, web.host());
    let route = format!(
        "apiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {{namespace: demo, name: {name}}}\n\
         spec:\n  target: {{service: {name}, port: 80}}\n  rules: [{{hosts: [{host:?}]}}]\n{more}"
    );
    let builder = builder.serve(web.clone());
    builder
        .manifest("web.interceptor.yaml", route)
        .start()
        .await
}

const BY_CONCURRENCY: &str = "  scalingMetric: {concurrency: {targetValue: 10}}\n";
const BY_RATE: &str = "  scalingMetric: {requestRate: {targetValue: 10}}\n";

/// The ScaledObject that its user has: the trigger names the InterceptorRoute.
fn scaled(stack: &Stack, web: &Service) -> ScaledObject {
    let mut object = ScaledObject::new(web, stack.sample_app());
    object.trigger = [("interceptorRoute".to_owned(), web.name.clone())].into();
    object
}

fn autoscale(stack: &Stack, web: &Service) -> Result<Autoscaler> {
    stack.autoscale_all(vec![scaled(stack, web)])
}

#[tokio::test]
async fn an_interceptor_route_wakes_its_service_and_says_who_waited() -> Result<()> {
    let web = Service::not_ours("web");
    let stack = stack_of(&web, BY_CONCURRENCY).await?;
    let autoscaler = autoscale(&stack, &web)?;
    let body = "x".repeat(100_000);
    let request = post(&web.url("/echo"), full(body.clone()))?;
    let first = fetch(Version::H1, stack.address()?, request).await?;
    ensure!(first.status == 200, "cold: {}", first.status);
    ensure!(first.body == body, "the body came back otherwise");
    ensure!(first.header(COLD_START) == "true", "{:?}", first.headers);
    // Another worker may hear of the endpoint a moment later, and hold for as long.
    eventually(SOON, "a request that waits for nothing", async || {
        let warm = stack.get(&web, "/").await.ok()?;
        (warm.status == 200 && warm.header(COLD_START) == "false").then_some(())
    })
    .await?;
    // What it does not name is Envoy's to answer.
    let other = get("http://other.test/")?;
    let other = fetch(Version::H1, stack.address()?, other).await?;
    ensure!(other.status == 404, "another host: {}", other.status);
    let mark = autoscaler.journal().len();
    let journal = autoscaler.journal();
    journal
        .wait(2 * SOON, mark, "web", |event| *event == Event::Scaled(1, 0))
        .await?;
    drop(autoscaler);
    stack.finish().await
}

/// With the add-on one request that waits is active only as long as it is in the window.
#[tokio::test]
async fn who_is_held_on_a_route_by_rate_is_demand_for_as_long() -> Result<()> {
    let web = Service::not_ours("web");
    let by_rate =
        "  scalingMetric: {requestRate: {targetValue: 10, window: 1s, granularity: 500ms}}\n";
    let stack = stack_of(&web, by_rate).await?;
    let contract = scaled(&stack, &web).contract(stack.scaler.addresses().grpc)?;
    let asking = stack.get(&web, "/");
    let waking = async {
        stack.held_is(1, SOON).await?;
        // Polling interval and slack are 6 s.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(9) {
            ensure!(contract.is_active().await?, "idle, and somebody waits");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        stack.wake(&web).await
    };
    let (answer, app) = tokio::try_join!(asking, waking)?;
    ensure!(answer.status == 200, "{}", answer.status);
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_placeholder_is_answered_at_once_and_wakes() -> Result<()> {
    let web = Service::not_ours("web");
    let placeholder = format!(
        "{BY_CONCURRENCY}  coldStart:\n    placeholder:\n      response:\n        \
         headers: {{X-Shop: soon}}\n        body: <html>soon</html>\n"
    );
    let stack = stack_of(&web, &placeholder).await?;
    let autoscaler = autoscale(&stack, &web)?;
    let begin = Instant::now();
    let answer = stack.get(&web, "/").await?;
    ensure!(answer.status == 503, "asleep: {}", answer.status);
    ensure!(answer.body == "<html>soon</html>", "{:?}", answer.body);
    ensure!(answer.header("x-shop") == "soon", "{:?}", answer.headers);
    let kind = answer.header("content-type");
    ensure!(kind == "text/html; charset=utf-8", "{kind:?}");
    ensure!(answer.header(COLD_START).is_empty(), "{:?}", answer.headers);
    ensure!(begin.elapsed() < SOON / 2, "it was held");
    // The one request that was answered is enough.
    let journal = autoscaler.journal();
    journal
        .wait(SOON, 0, "web", |event| *event == Event::Scaled(0, 1))
        .await?;
    eventually(SOON, "the app answers", async || {
        let answer = stack.get(&web, "/").await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await?;
    drop(autoscaler);
    stack.finish().await
}

#[tokio::test]
async fn beyond_what_may_wait_the_placeholder_is_answered() -> Result<()> {
    let web = Service::not_ours("web");
    let overflow = format!(
        "{BY_CONCURRENCY}  coldStart:\n    maxPendingRequests: 1\n    overflow: Placeholder\n    \
         placeholder: {{response: {{statusCode: 429, body: full}}}}\n"
    );
    let builder = Stack::builder().workers(1);
    let stack = stack_from(builder, &web, &overflow).await?;
    let held = stack.get(&web, "/");
    let beyond = async {
        stack.held_is(1, SOON).await?;
        let answer = stack.get(&web, "/").await?;
        ensure!(answer.status == 429, "beyond: {}", answer.status);
        ensure!(answer.body == "full", "{:?}", answer.body);
        stack.wake(&web).await
    };
    let (held, app) = tokio::try_join!(held, beyond)?;
    ensure!(held.status == 200, "held: {}", held.status);
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn static_routes_are_answered_and_wake_nobody() -> Result<()> {
    let web = Service::not_ours("web");
    let routes = format!(
        "{BY_CONCURRENCY}  staticRoutes:\n    \
         - rules: [{{paths: [{{value: /always}}]}}]\n      responseMode: Always\n      \
         response: {{statusCode: 202, body: always}}\n    \
         - rules: [{{paths: [{{value: /pages}}]}}, {{headers: [{{name: X-Probe}}]}}]\n      \
         response: {{bodyFromConfigMap: {{name: pages}}}}\n"
    );
    let pages = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  namespace: demo\n  name: pages\n  \
                 labels: {http.keda.sh/response-body: \"true\"}\n\
                 data: {index.html: <p>hello, status.json: \"{}\"}\n";
    let builder = Stack::builder().manifest("pages.yaml", pages);
    let stack = stack_from(builder, &web, &routes).await?;
    let contract = scaled(&stack, &web).contract(stack.scaler.addresses().grpc)?;
    let probe = async |path: &str| {
        let mut request = get(&web.url(path))?;
        let yes = HeaderValue::from_static("1");
        request.headers_mut().insert("x-probe", yes);
        fetch(Version::H2, stack.address()?, request).await
    };
    let always = stack.get(&web, "/always/x").await?;
    ensure!(
        always.status == 202 && always.body == "always",
        "{always:?}"
    );
    let index = probe("/").await?;
    ensure!(index.status == 200 && index.body == "<p>hello", "{index:?}");
    let file = probe("/status.json?x=1").await?;
    let kind = file.header("content-type");
    ensure!(kind == "application/json", "{kind:?}");
    let miss = stack.get(&web, "/pages/none").await?;
    ensure!(miss.status == 200 && miss.body.is_empty(), "{miss:?}");
    // Two reports later the scaler had every chance to count them.
    eventually(SOON, "the scaler says idle", async || {
        matches!(contract.is_active().await, Ok(false)).then_some(())
    })
    .await?;
    let app = stack.wake(&web).await?;
    eventually(SOON, "the app answers in its place", async || {
        let answer = probe("/order").await.ok()?;
        (answer.status == 200 && answer.body != "<p>hello" && !answer.body.is_empty()).then_some(())
    })
    .await?;
    let always = stack.get(&web, "/always").await?;
    ensure!(always.status == 202, "always: {}", always.status);
    ensure!(!contract.is_active().await?, "static requests count");
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn readiness_and_request_time_outs_are_in_force() -> Result<()> {
    let web = Service::not_ours("web");
    let timeouts = format!("{BY_RATE}  timeouts: {{readiness: 30s, request: 2s}}\n");
    let stack = stack_of(&web, &timeouts).await?;
    let begin = Instant::now();
    let held = stack.get(&web, "/").await?;
    let took = begin.elapsed();
    ensure!(held.status == 504, "held: {}", held.status);
    ensure!(
        took > Duration::from_millis(1_900) && took < SOON,
        "{took:?}"
    );
    let app = stack.wake(&web).await?;
    eventually(SOON, "the app answers", async || {
        let answer = stack.get(&web, "/").await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await?;
    // The rest of the time is Envoy's to watch.
    let begin = Instant::now();
    let slow = stack.get(&web, "/slow?ms=15000").await?;
    let took = begin.elapsed();
    ensure!(slow.status == 504, "slow: {}", slow.status);
    ensure!(took < Duration::from_secs(14), "{took:?}");
    app.stop(SOON).await?;
    stack.finish().await
}

/// What an HTTPScaledObject and the InterceptorRoute that replaces it share: the requests, under either trigger.
#[tokio::test]
async fn of_one_name_the_interceptor_route_gets_the_requests_and_both_triggers_see_them()
-> Result<()> {
    let web = Service::not_ours("web");
    let old = "apiVersion: http.keda.sh/v1alpha1\nkind: HTTPScaledObject\nmetadata: {namespace: demo, name: web}\n\
               spec:\n  hosts: [web.test]\n  scaleTargetRef: {name: web, service: web, port: 80}\n";
    let builder = Stack::builder().manifest("old.yaml", old);
    let stack = stack_from(builder, &web, BY_CONCURRENCY).await?;
    let scaler = stack.scaler.addresses().grpc;
    let mut by_old = scaled(&stack, &web);
    by_old.trigger = [("httpScaledObject".to_owned(), "web".to_owned())].into();
    let (by_old, by_new) = (
        by_old.contract(scaler)?,
        scaled(&stack, &web).contract(scaler)?,
    );
    let held = stack.get(&web, "/");
    let seen = async {
        stack.held_is(1, SOON).await?;
        for contract in [&by_old, &by_new] {
            eventually(SOON, "the trigger sees the request", async || {
                contract.is_active().await.ok()?.then_some(())
            })
            .await?;
        }
        stack.wake(&web).await
    };
    let (held, app) = tokio::try_join!(held, seen)?;
    ensure!(held.header(COLD_START) == "true", "{:?}", held.headers);
    app.stop(SOON).await.context("stop the app")?;
    stack.finish().await
}
