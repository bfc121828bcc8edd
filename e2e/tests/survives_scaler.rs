//! The scaler dies, comes back with no memory, and the wake still comes.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use wakegate_e2e::autoscaler::{Event, ScaledObject};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack};

/// KEDA comes back to a scaler that was killed after 2, 4, 8 s.
const COMES_BACK: Duration = Duration::from_secs(40);
const SOON: Duration = Duration::from_secs(20);
const N_REQUESTS: usize = 20;

#[tokio::test]
async fn a_wake_comes_after_its_return() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    // Only the stream can wake here: polling is slower than the test.
    let object = ScaledObject::new(&shop, stack.sample_app())
        .paced(Duration::from_mins(10), Duration::from_mins(10));
    let autoscaler = stack.autoscale_all(vec![object])?;
    let journal = autoscaler.journal();
    journal
        .wait(SOON, 0, "shop", |event| *event == Event::StreamOpened)
        .await?;
    stack.scaler.kill()?;
    journal
        .wait(SOON, 0, "shop", |event| *event == Event::StreamEnded(false))
        .await?;

    let connection = H2::open(stack.address()?).await?;
    let requests = (0..N_REQUESTS).map(|_| Ok(connection.send(get(&shop.url("/"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    stack.held_is(N_REQUESTS, SOON).await?;
    let mark = journal.len();
    stack.scaler.start_again().await?;
    journal
        .wait(COMES_BACK, mark, "shop", |event| {
            *event == Event::Told(true)
        })
        .await?;
    let answers = requests
        .into_iter()
        .map(async |request| read(request.await?).await);
    for answer in try_join_all(answers).await? {
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    drop(autoscaler);
    stack.finish().await
}

/// Draining ends KEDA's streams with OK: only so is it back in two seconds.
#[tokio::test]
async fn a_scaler_that_is_told_to_stop_ends_streams_well() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    let autoscaler = stack.autoscale(&shop)?;
    let journal = autoscaler.journal();
    journal
        .wait(SOON, 0, "shop", |event| *event == Event::StreamOpened)
        .await?;
    let mark = journal.len();
    stack.scaler.terminate().await?;
    let ended = journal
        .wait(SOON, mark, "shop", |event| {
            matches!(event, Event::StreamEnded(_))
        })
        .await?;
    ensure!(
        ended.event == Event::StreamEnded(true),
        "{}",
        journal.text(mark)
    );
    stack.scaler.start_again().await?;
    ensure!(
        stack.get(&shop, "/").await?.status == 200,
        "a wake after an orderly restart"
    );
    drop(autoscaler);
    stack.finish().await
}

/// A scaler that has heard from no worker says so, and nobody scales to zero on its silence.
#[tokio::test]
async fn a_scaler_without_reports_never_says_idle() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    let scaler = ScaledObject::new(&shop, stack.sample_app());
    let scaler = scaler.contract(stack.scaler.addresses().grpc)?;
    wakegate_e2e::eventually_is(SOON, "idle", false, async || Ok(scaler.is_active().await?))
        .await?;
    stack.kill_envoy()?;
    stack.scaler.kill()?;
    stack.scaler.start_again().await?;
    stack.scaler.ready().await?;
    let answer = scaler.is_active().await;
    let code = answer.as_ref().err().map(tonic::Status::code);
    ensure!(code == Some(tonic::Code::Unavailable), "{answer:?}");
    stack.start_envoy().await?;
    wakegate_e2e::eventually_is(SOON, "idle", false, async || Ok(scaler.is_active().await?))
        .await?;
    stack.finish().await
}
