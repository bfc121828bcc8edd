//! Health checkers get an answer from an app that sleeps, wake nothing, and keep nothing awake.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::{HeaderValue, Request};
use wakegate_e2e::autoscaler::Event;
use wakegate_e2e::client::{Answer, Body, Version, fetch, get};
use wakegate_e2e::{Service, Stack, eventually, throughout};

const SOON: Duration = Duration::from_secs(20);
/// Polling 1 s, activity 5 s beyond it, cooldown 3 s; the rest is for a busy machine.
const TO_ZERO: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_kube_probe_is_answered_and_wakes_nothing() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let autoscaler = stack.autoscale(&shop)?;
    let journal = autoscaler.journal();
    journal
        .wait(SOON, 0, "shop", |event| *event == Event::StreamOpened)
        .await?;

    for agent in ["kube-probe/1.36", "GoogleHC/1.0", "ELB-HealthChecker/2.0"] {
        let answer = check(&stack, &shop, agent).await?;
        ensure!(answer.status == 200, "{agent}: {}", answer.status);
    }
    // Two polls later the scaler had every chance to count them.
    let is_poll = |event: &Event| matches!(event, Event::Polled(..));
    let n_polls = journal.count(0, "shop", is_poll);
    eventually(SOON, "two more polls", async || {
        (journal.count(0, "shop", is_poll) >= n_polls + 2).then_some(())
    })
    .await?;
    let woke = |event: &Event| matches!(event, Event::Told(true) | Event::Polled(true, _));
    ensure!(
        journal.find(0, "shop", woke).is_none(),
        "woken:\n{}",
        journal.text(0)
    );

    // Awake by a real request, it is checked several times as often as any kubelet does.
    ensure!(stack.get(&shop, "/").await?.status == 200, "it wakes");
    let mark = journal.len();
    let begin = Instant::now();
    let mut n_checks = 0_u32;
    while journal
        .find(mark, "shop", |event| *event == Event::Scaled(1, 0))
        .is_none()
    {
        ensure!(
            begin.elapsed() < TO_ZERO,
            "kept awake:\n{}",
            journal.text(mark)
        );
        let answer = check(&stack, &shop, "kube-probe/1.36").await?;
        ensure!(answer.status == 200, "check {n_checks}: {}", answer.status);
        n_checks += 1;
        let quiet = Duration::from_millis(200);
        throughout(quiet, async || Ok(())).await?;
    }
    ensure!(n_checks > 5, "only {n_checks} checks");
    journal
        .wait(SOON, mark, "shop", |event| *event == Event::AppStopped)
        .await?;
    drop(autoscaler);
    stack.finish().await
}

/// Paths that a route names are health checks too; others on the same route wake.
#[tokio::test]
async fn a_path_that_wakes_nothing_is_answered() -> Result<()> {
    let shop = Service::new("shop").with("no-wake-paths", "/healthz");
    let stack = Stack::of(&[&shop]).await?;
    let autoscaler = stack.autoscale(&shop)?;
    let journal = autoscaler.journal();
    journal
        .wait(SOON, 0, "shop", |event| *event == Event::StreamOpened)
        .await?;
    for path in ["/healthz", "/healthz/live", "/healthz?full=1"] {
        let answer = stack.get(&shop, path).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        ensure!(
            answer.header("x-wakegate-cold-start").is_empty(),
            "{path} was held"
        );
    }
    let woke = |event: &Event| matches!(event, Event::Told(true) | Event::Polled(true, _));
    ensure!(
        journal.find(0, "shop", woke).is_none(),
        "woken:\n{}",
        journal.text(0)
    );
    ensure!(
        stack.get(&shop, "/healthzz").await?.status == 200,
        "by whole segments alone"
    );
    drop(autoscaler);
    stack.finish().await
}

async fn check(stack: &Stack, service: &Service, agent: &'static str) -> Result<Answer> {
    let mut request: Request<Body> = get(&service.url("/healthz"))?;
    request
        .headers_mut()
        .insert("user-agent", HeaderValue::from_static(agent));
    fetch(Version::H1, stack.address()?, request).await
}
