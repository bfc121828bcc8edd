//! KEDA was away while requests came: as soon as it is back it is told, and they are answered.

use std::time::Duration;

use anyhow::{Result, ensure};
use wakegate_e2e::autoscaler::Event;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn it_is_told_at_once_when_it_is_back() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let autoscaler = stack.autoscale(&shop)?;
    autoscaler
        .journal()
        .wait(SOON, 0, "shop", |event| *event == Event::StreamOpened)
        .await?;
    drop(autoscaler);

    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    let autoscaler = stack.autoscale(&shop)?;
    let journal = autoscaler.journal();
    let is_word = |event: &Event| matches!(event, Event::Told(_));
    let first = journal.wait(SOON, 0, "shop", is_word).await?;
    ensure!(first.event == Event::Told(true), "{}", journal.text(0));
    let opened = journal
        .wait(SOON, 0, "shop", |event| *event == Event::StreamOpened)
        .await?;
    let after = first.at.saturating_duration_since(opened.at);
    ensure!(
        after < Duration::from_secs(1),
        "told {after:?} after its stream was open"
    );
    let answer = read(request.await?).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    drop(autoscaler);
    stack.finish().await
}
