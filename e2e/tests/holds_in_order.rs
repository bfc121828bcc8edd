//! Requests that wait are let go in the order in which they came, and hold up nobody else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use wakegate_e2e::client::{Answer, H2, get, read};
use wakegate_e2e::{Service, Stack, eventually};

const SOON: Duration = Duration::from_secs(20);
const N_CONNECTIONS: usize = 4;
const N_REQUESTS: usize = 300;

/// One HTTP/2 connection is served by one worker, and goes on over one connection to the app.
#[tokio::test]
async fn three_hundred_at_once_are_released_in_order() -> Result<()> {
    // All connections may be one worker's.
    let shop = Service::new("shop").with("max-held", "2000");
    let stack = Stack::of(&[&shop]).await?;
    let mut connections = Vec::new();
    for _ in 0..N_CONNECTIONS {
        connections.push(H2::open(stack.address()?).await?);
    }
    let mut requests = Vec::new();
    for connection in &connections {
        for n in 0..N_REQUESTS {
            requests.push(connection.send(get(&shop.url(&format!("/order?n={n}")))?));
        }
    }
    let asking = async { anyhow::Ok(join_all(requests).await) };
    let n_held = N_CONNECTIONS * N_REQUESTS;
    let wake = async {
        stack.held_is(n_held, SOON).await?;
        stack.wake(&shop).await
    };
    let (responses, app) = tokio::try_join!(asking, wake)?;

    let answers = try_join_all(
        responses
            .into_iter()
            .map(async |response| read(response?).await),
    );
    let answers = answers.await?;
    for (connection, answers) in answers.chunks(N_REQUESTS).enumerate() {
        let arrivals = answers.iter().map(arrival).collect::<Result<Vec<_>>>()?;
        ensure!(
            arrivals.is_sorted(),
            "connection {connection}: arrived as {arrivals:?}"
        );
    }
    let lost = stack.counted("lost_total").await?;
    ensure!(lost == 0, "{lost} requests met a failure on release");
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_ready_route_never_waits_for_an_asleep_one() -> Result<()> {
    let (asleep, ready) = (Service::new("asleep"), Service::new("ready"));
    let stack = Stack::of(&[&asleep, &ready]).await?;
    let app = stack.wake(&ready).await?;
    let connection = H2::open(stack.address()?).await?;
    eventually(
        SOON,
        "the ready route is ready in this worker",
        async || {
            let answer = connection.send(get(&ready.url("/")).ok()?).await.ok()?;
            (!answer.headers().contains_key("x-wakegate-cold-start")).then_some(())
        },
    )
    .await?;
    let mut held = Vec::new();
    for _ in 0..N_REQUESTS {
        held.push(connection.send(get(&asleep.url("/"))?));
    }
    stack.held_is(N_REQUESTS, SOON).await?;
    for _ in 0..100 {
        let begin = Instant::now();
        let answer = read(connection.send(get(&ready.url("/"))?).await?).await?;
        ensure!(answer.status == 200, "the ready route: {}", answer.status);
        ensure!(
            answer.header("x-wakegate-cold-start").is_empty(),
            "it was held"
        );
        ensure!(
            begin.elapsed() < Duration::from_secs(1),
            "it took {:?}",
            begin.elapsed()
        );
    }
    drop(held);
    stack.held_is(0, Duration::from_secs(1)).await?;
    app.stop(SOON).await?;
    stack.finish().await
}

fn arrival(answer: &Answer) -> Result<u64> {
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    ensure!(
        answer.header("x-wakegate-cold-start") == "true",
        "it was not held"
    );
    answer.text().parse().context("the app's sequence number")
}
