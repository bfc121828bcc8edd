//! What is used stays up: a stream that lasts a minute, and a request of 5 ms every ten seconds.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wakegate_e2e::autoscaler::{Event, Journal, ScaledObject};
use wakegate_e2e::client::{H1, get, read};
use wakegate_e2e::{Service, Stack, throughout};

const SOON: Duration = Duration::from_secs(20);
const A_MINUTE: Duration = Duration::from_mins(1);
const APART: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_stream_of_a_minute_and_one_short_request_every_ten_seconds() -> Result<()> {
    let (long, rare) = (Service::new("long"), Service::new("rare"));
    let stack = Stack::of(&[&long, &rare]).await?;
    let second = Duration::from_secs(1);
    let objects = [
        ScaledObject::new(&long, stack.sample_app()).paced(second, second),
        // Asked as seldom as what Wakegate writes for KEDA: between two polls come one or two requests.
        ScaledObject::new(&rare, stack.sample_app()).paced(Duration::from_secs(15), second),
    ];
    let autoscaler = stack.autoscale_all(objects.to_vec())?;
    let journal = autoscaler.journal();
    for service in ["long", "rare"] {
        journal
            .wait(SOON, 0, service, |event| *event == Event::StreamOpened)
            .await?;
    }
    let stream = open_for_a_minute(&stack, &long, journal);
    let requests = asked_every_ten_seconds(&stack, &rare, journal);
    tokio::try_join!(stream, requests)?;
    drop(autoscaler);
    stack.finish().await
}

/// Silent for half a minute between two events: only the open stream is activity.
async fn open_for_a_minute(stack: &Stack, service: &Service, journal: &Journal) -> Result<()> {
    let mut client = H1::open(stack.address()?).await?;
    let response = client.send(get(&service.url("/sse?n=3&ms=30000"))?).await?;
    let mark = journal.len();
    let answer = read(response).await?;
    ensure!(
        answer.text().matches("data: tick").count() == 3,
        "{}",
        answer.text()
    );
    is_never_idle(service, journal, mark, 50)
}

async fn asked_every_ten_seconds(
    stack: &Stack,
    service: &Service,
    journal: &Journal,
) -> Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < A_MINUTE {
        let answer = stack.get(service, "/slow?ms=5").await?;
        ensure!(answer.status == 200, "{}", answer.status);
        throughout(APART, async || Ok(())).await?;
    }
    let woken = journal.find(0, &service.name, |event| *event == Event::Scaled(0, 1));
    let woken = woken.context("it was woken")?;
    let mark = journal
        .entries()
        .iter()
        .position(|entry| entry.at >= woken.at);
    is_never_idle(service, journal, mark.context("it is in the journal")?, 3)
}

fn is_never_idle(service: &Service, journal: &Journal, mark: usize, n_least: usize) -> Result<()> {
    let is_idle = |event: &Event| matches!(event, Event::Polled(false, _) | Event::Scaled(1, 0));
    let idle = journal.find(mark, &service.name, is_idle);
    ensure!(
        idle.is_none(),
        "{} was called idle:\n{}",
        service.name,
        journal.text(mark)
    );
    let is_poll = |event: &Event| matches!(event, Event::Polled(true, _));
    let n_polls = journal.count(mark, &service.name, is_poll);
    ensure!(
        n_polls >= n_least,
        "{} was polled {n_polls} times in a minute",
        service.name
    );
    Ok(())
}
