//! Two control planes: filters are spread over them, move when one drains or their streams grow old, and neither costs
//! a table or disturbs what is held.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use http::Response;
use hyper::body::Incoming;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Daemon, Service, Stack, eventually, eventually_is, throughout};

const SOON: Duration = Duration::from_secs(20);
/// Two workers and Envoy's main thread.
const N_VMS: f64 = 3.0;
const N_HELD: usize = 50;
/// A machine that is busy otherwise takes its time; alone it is below 200 ms, by the pause of the link and the tick.
const MOVED: Duration = Duration::from_secs(2);
/// Streams of filters.
const FILTERS: &str = "wakegate_control_plane_subscribers{role=\"filter\"}";
const SCALERS: &str = "wakegate_control_plane_subscribers{role=\"scaler\"}";
/// Tables and differences that were sent, to scalers as well.
const SENT: &str = "wakegate_control_plane_updates_total";

#[tokio::test]
async fn filters_of_one_that_drains_are_with_the_other_at_once_and_are_sent_nothing() -> Result<()>
{
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).control_planes(2);
    let mut stack = stack.start().await?;
    let connection = H2::open(stack.address()?).await?;
    let requests = (0..N_HELD).map(|_| Ok(connection.send(get(&shop.url("/"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    stack.held_is(N_HELD, SOON).await?;
    all_are_here(&stack).await?;

    // One after the other goes and comes again, so that each filter moves at least once.
    for number in [0, 1] {
        let [going, staying] = two(&mut stack, number)?;
        let sent = staying.samples().await?.sum(SENT);
        let begin = Instant::now();
        going.ask_to_end()?;
        let moved = async || Ok(staying.samples().await?.sum(FILTERS));
        eventually_is(MOVED, "filters with the other", N_VMS, moved).await?;
        eprintln!("moved within {:?}", begin.elapsed());
        let scaler = async || Ok(staying.samples().await?.sum(SCALERS));
        eventually_is(MOVED, "scalers with the other", 1.0, scaler).await?;
        going.terminate().await?;
        let now = staying.samples().await?.sum(SENT);
        ensure!((now - sent).abs() < 0.5, "{} tables were sent", now - sent);
        going.start_again().await?;
        going.ready().await?;
    }
    stack.held_is(N_HELD, SOON).await?;
    woken_all_are_answered(stack, &shop, requests).await
}

#[tokio::test]
async fn one_that_drains_is_not_ready_and_serves_until_clients_have_heard_of_it() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).control_planes(2);
    let stack = stack.flags(&["--drain-delay-secs=3"]);
    let mut stack = stack.start().await?;
    all_are_here(&stack).await?;
    let [going, _] = two(&mut stack, 0)?;
    let before = going.samples().await?.sum(FILTERS);
    let begin = Instant::now();
    going.ask_to_end()?;
    let not_ready = eventually(SOON, "it is not ready", async || {
        let answer = going.ask("/ready").await.ok()?;
        (answer.status == 503).then(|| answer.text())
    });
    let text = not_ready.await?;
    ensure!(text.starts_with("draining, since 0 s"), "{text}");
    ensure!(begin.elapsed() < Duration::from_secs(2), "it took too long");
    // Whoever is there stays, and who comes is taken.
    let going = &*going;
    throughout(Duration::from_secs(1), || async {
        let now = going.samples().await?.sum(FILTERS);
        ensure!((now - before).abs() < 0.5, "{before} filters, now {now}");
        Ok(())
    })
    .await?;
    let grpc = going.addresses().grpc;
    tokio::net::TcpStream::connect(grpc)
        .await
        .context("connect")?;
    let [going, staying] = two(&mut stack, 0)?;
    // It is not asked twice: that would end the delay.
    going.ended().await?;
    let moved = async || Ok(staying.samples().await?.sum(FILTERS));
    eventually_is(SOON, "filters with the other", N_VMS, moved).await?;
    ensure!(begin.elapsed() >= Duration::from_secs(3), "it did not wait");
    going.start_again().await?;
    going.ready().await?;
    stack.finish().await
}

#[tokio::test]
async fn streams_that_grow_old_come_to_be_shared_while_requests_are_held() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).control_planes(2);
    let stack = stack.flags(&["--max-stream-age-secs=1"]);
    let mut stack = stack.start().await?;
    let connection = H2::open(stack.address()?).await?;
    let requests = (0..N_HELD).map(|_| Ok(connection.send(get(&shop.url("/"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    stack.held_is(N_HELD, SOON).await?;
    // After a rollout all hang on the one that was there first.
    let [gone, first] = two(&mut stack, 1)?;
    gone.terminate().await?;
    let all = async || Ok(first.samples().await?.sum(FILTERS));
    eventually_is(SOON, "filters with the first", N_VMS, all).await?;
    gone.start_again().await?;
    gone.ready().await?;
    let shared = async || {
        let n_filters = gone.samples().await.ok()?.sum(FILTERS);
        (n_filters > 0.5).then_some(())
    };
    eventually(SOON, "filters with the one that came last", shared).await?;
    let full = "wakegate_control_plane_updates_total{kind=\"full\"}";
    let n_full = gone.samples().await?.sum(full);
    ensure!(n_full < 0.5, "{n_full} full tables were sent to who moved");
    stack.held_is(N_HELD, SOON).await?;
    woken_all_are_answered(stack, &shop, requests).await
}

/// What is held is answered once its app is up; the end of a test that has passed.
async fn woken_all_are_answered(
    stack: Stack,
    service: &Service,
    held: Vec<impl Future<Output = Result<Response<Incoming>>>>,
) -> Result<()> {
    let app = stack.wake(service).await?;
    let answers = held.into_iter();
    let answers = answers.map(async |request| read(request.await?).await);
    for answer in try_join_all(answers).await? {
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    app.stop(SOON).await?;
    stack.finish().await
}

/// Both, with the one of this number first.
fn two(stack: &mut Stack, number: usize) -> Result<[&mut Daemon; 2]> {
    let mut planes = stack.control_planes();
    planes.rotate_left(number);
    let planes: Result<[_; 2], _> = planes.try_into();
    planes.ok().context("two control planes")
}

/// Waits until the streams of all filters are counted.
async fn all_are_here(stack: &Stack) -> Result<()> {
    let all = async || {
        let first = stack.control_plane.samples().await?.sum(FILTERS);
        let mut sum = first;
        for daemon in &stack.more_control_planes {
            sum += daemon.samples().await?.sum(FILTERS);
        }
        Ok(sum)
    };
    eventually_is(SOON, "filters with both", N_VMS, all).await
}
