//! Hundreds of holds that end in the same instant, however they end, kill no filter VM and leave no
//! client without an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use tokio::time;
use wakegate_e2e::client::{Answer, H2, get, read};
use wakegate_e2e::{Service, Stack, eventually};

const SOON: Duration = Duration::from_secs(20);
const N_CONNECTIONS: usize = 4;

#[tokio::test]
async fn five_hundred_time_out_together() -> Result<()> {
    let shop = Service::new("shop").with("hold-timeout", "2s");
    let stack = Stack::of(&[&shop]).await?;
    let answers = time::timeout(SOON, ask_many(&stack, &shop, 500)).await??;
    let by_status = by_status(&answers);
    ensure!(by_status == BTreeMap::from([(504, 500)]), "{by_status:?}");
    after_it_still_works(stack, &shop).await
}

#[tokio::test]
async fn two_thousand_leave_together() -> Result<()> {
    let shop = Service::new("shop").with("max-held", "2000");
    let stack = Stack::of(&[&shop]).await?;
    {
        let asking = ask_many(&stack, &shop, 2_000);
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            answers = asking.as_mut() => { answers?; }
            held = stack.held_is(2_000, SOON) => held?,
        }
    }
    stack.held_is(0, Duration::from_secs(1)).await?;
    after_it_still_works(stack, &shop).await
}

/// Each at the defaults of Envoy's circuit breakers, to an app that takes its time.
#[tokio::test]
async fn two_thousand_wake_together() -> Result<()> {
    let shop = Service::new("shop").with("max-held", "2000");
    let stack = Stack::of(&[&shop]).await?;
    let wake = async {
        stack.held_is(2_000, SOON).await?;
        let app = stack
            .sample_app()
            .args(&["--response-delay-ms=20"])
            .start("slow")
            .await?;
        stack.manifests.put_endpoint(&shop, Some(app.address()))?;
        Ok(app)
    };
    let both = async { tokio::try_join!(ask_many(&stack, &shop, 2_000), wake) };
    let (answers, _app) = time::timeout(SOON * 2, both).await??;
    let by_status = by_status(&answers);
    ensure!(by_status == BTreeMap::from([(200, 2_000)]), "{by_status:?}");
    ensure!(
        stack.counted("lost_total").await? == 0,
        "a request met a failure on release"
    );
    after_it_still_works(stack, &shop).await
}

/// The endpoint is there for the control plane and for Envoy, but nobody listens: no proof comes, the
/// canary goes anyway, and every release fails.
#[tokio::test]
async fn two_thousand_are_released_to_a_backend_that_is_gone() -> Result<()> {
    let shop = Service::new("shop")
        .with("max-held", "2000")
        .with("hold-timeout", "8s");
    let stack = Stack::of(&[&shop]).await?;
    let wake = async {
        stack.held_is(2_000, SOON).await?;
        let app = stack.sample_app().start("gone").await?;
        let address = app.address();
        app.kill()?;
        stack.manifests.put_endpoint(&shop, Some(address))
    };
    let both = async { tokio::try_join!(ask_many(&stack, &shop, 2_000), wake) };
    let (answers, ()) = time::timeout(SOON * 2, both).await??;
    let by_status = by_status(&answers);
    ensure!(
        by_status.keys().all(|status| [503, 504].contains(status)),
        "{by_status:?}"
    );
    after_it_still_works(stack, &shop).await
}

/// The backend dies while two thousand are on their way to it.
#[tokio::test]
async fn two_thousand_are_released_to_a_backend_that_dies() -> Result<()> {
    let shop = Service::new("shop")
        .with("max-held", "2000")
        .with("hold-timeout", "8s");
    let stack = Stack::of(&[&shop]).await?;
    let wake = async {
        stack.held_is(2_000, SOON).await?;
        let app = stack
            .sample_app()
            .args(&["--response-delay-ms=20"])
            .start("dying")
            .await?;
        stack.manifests.put_endpoint(&shop, Some(app.address()))?;
        eventually(SOON, "the thaw has begun", async || {
            (stack.counted("released_total").await.ok()? >= 50).then_some(())
        })
        .await?;
        app.kill()
    };
    let both = async { tokio::try_join!(ask_many(&stack, &shop, 2_000), wake) };
    let (answers, ()) = time::timeout(SOON * 2, both).await??;
    let by_status = by_status(&answers);
    ensure!(
        by_status
            .keys()
            .all(|status| [200, 503, 504].contains(status)),
        "{by_status:?}"
    );
    ensure!(
        by_status.contains_key(&200),
        "some were answered: {by_status:?}"
    );
    after_it_still_works(stack, &shop).await
}

async fn ask_many(stack: &Stack, service: &Service, n_requests: usize) -> Result<Vec<Answer>> {
    let mut connections = Vec::new();
    for _ in 0..N_CONNECTIONS {
        connections.push(H2::open(stack.address()?).await?);
    }
    let mut requests = Vec::new();
    for connection in connections.iter().cycle().take(n_requests) {
        requests.push(connection.send(get(&service.url("/"))?));
    }
    try_join_all(
        requests
            .into_iter()
            .map(async |request| read(request.await?).await),
    )
    .await
}

fn by_status(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// In every worker: more connections in a row than either takes by chance. Before that Envoy may
/// still know the endpoint that is gone.
async fn after_it_still_works(mut stack: Stack, service: &Service) -> Result<()> {
    stack.held_is(0, SOON).await?;
    stack.is_well()?;
    let app = stack.sample_app().start("after").await?;
    stack.manifests.put_endpoint(service, Some(app.address()))?;
    eventually(SOON, "16 answers in a row", async || {
        for _ in 0..16 {
            let answer = stack.get(service, "/").await.ok()?;
            if answer.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await?;
    app.stop(SOON).await?;
    stack.finish().await
}
