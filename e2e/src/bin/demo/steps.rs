//! The steps of the demo. Each prints what happened and fails when it did not.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use wakegate_e2e::autoscaler::{Entry, Event};
use wakegate_e2e::client::{Answer, H1, Version, fetch, get, open_websocket, read};
use wakegate_e2e::{Service, eventually};

use crate::Demo;
use crate::timeline::{Timeline, meanwhile, say};

/// For anything that needs no cooldown.
const SOON: Duration = Duration::from_secs(15);
/// The scaler calls a workload active for this long after its last request, beside the polling
/// interval.
const ACTIVE_WINDOW: Duration = Duration::from_secs(5);
const N_BURST: usize = 100;

/// KEDA knows both and listens.
pub(crate) async fn streams_open(demo: &Demo) -> Result<()> {
    for service in [&demo.shop, &demo.burst] {
        let opened = wait(demo, 0, service, |event| *event == Event::StreamOpened);
        meanwhile("KEDA's part opens its streams", opened).await?;
    }
    Ok(())
}

/// One GET, and every moment on its way.
pub(crate) async fn one_request_at_zero(demo: &Demo) -> Result<()> {
    say("\n1. One request to `shop`, which has no process");
    let mark = demo.autoscaler.journal().len();
    let mut client = H1::open(demo.stack.address()?).await?;
    let mut line = Timeline::begin("arrived: the client has sent GET /first");
    let watching = eventually(SOON, "a held request", async || {
        (demo.stack.counted("held").await.ok()? > 0).then_some(())
    });
    let asking = async {
        let response = client.send(get(&demo.shop.url("/first"))?).await?;
        anyhow::Ok((Instant::now(), read(response).await?))
    };
    let (held, answered) = tokio::join!(watching, asking);
    held.context("Envoy's gauge of held requests never rose")?;
    let (first_byte, answer) = answered?;
    ensure!(
        answer.status == 200,
        "answered with {}: {}",
        answer.status,
        answer.text()
    );

    let (held_at, held_for) = (held_since(demo, "/first").await?, held_time(&answer)?);
    line.at(held_at, "held in Envoy");
    let told = wait(demo, mark, &demo.shop, |event| *event == Event::Told(true)).await?;
    line.at(told.at, "KEDA told: `true` on StreamIsActive");
    let started = wait(demo, mark, &demo.shop, |event| {
        matches!(event, Event::AppStarted(_))
    });
    line.at(started.await?.at, "app started: it answers");
    let ready = wait(demo, mark, &demo.shop, |event| {
        matches!(event, Event::EndpointReady(_))
    });
    line.at(
        ready.await?.at,
        "endpoint ready: the EndpointSlice is written",
    );
    line.at(
        held_at + held_for,
        format!("released, held for {} ms", held_for.as_millis()),
    );
    line.at(first_byte, "first byte at the client: 200");
    line.print();
    Ok(())
}

/// When Envoy's access log says that the request for `path` came: it was held in the same instant.
async fn held_since(demo: &Demo, path: &str) -> Result<Instant> {
    let entry = eventually(SOON, "an entry in the access log", async || {
        let entries = demo.stack.envoy().ok()?.access_log().ok()?;
        entries
            .into_iter()
            .find(|entry| entry.get("path").is_some_and(|of| of == path))
    });
    let entry = entry.await?;
    let start = entry
        .get("start")
        .and_then(serde_json::Value::as_str)
        .context("a start")?;
    let start = Duration::from_secs_f64(start.parse::<f64>().context("seconds since the epoch")?);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH + start)
        .context("not in the future")?;
    Instant::now()
        .checked_sub(since)
        .context("since this machine started")
}

/// A hundred at once: all wait, all are answered.
pub(crate) async fn a_burst_at_zero(demo: &Demo) -> Result<()> {
    say(&format!(
        "\n2. A burst of {N_BURST} requests at once to `burst`, which has no process"
    ));
    let address = demo.stack.address()?;
    let mut line = Timeline::begin("first request sent");
    let mut requests = JoinSet::new();
    for _ in 0..N_BURST {
        requests.spawn(ask(address, demo.burst.clone()));
    }
    let mut answers = Vec::new();
    while let Some(answer) = meanwhile("the burst is answered", requests.join_next()).await {
        answers.push(answer.context("a request's task")??);
    }
    let n_ok = answers
        .iter()
        .filter(|(_, answer)| answer.status == 200)
        .count();
    let n_held = answers
        .iter()
        .filter(|(_, answer)| held_time(answer).is_ok())
        .count();
    let at = answers.iter().map(|(at, _)| *at);
    let (first, last) = at
        .clone()
        .min()
        .zip(at.max())
        .context("there are answers")?;
    line.at(first, "first answer");
    line.at(
        last,
        format!("last answer: {n_ok} of {N_BURST} are 200, {n_held} were held"),
    );
    line.print();
    ensure!(
        n_ok == N_BURST,
        "{n_ok} of {N_BURST} were answered with 200"
    );
    ensure!(n_held > 0, "none was held");
    Ok(())
}

/// An open WebSocket outlives every cooldown.
pub(crate) async fn a_websocket_keeps_it_up(demo: &Demo) -> Result<()> {
    say("\n3. A WebSocket to `shop` stays open; `burst` falls back to zero in the meantime");
    let mut line = Timeline::begin("WebSocket opens");
    let mark = demo.autoscaler.journal().len();
    let url = format!("ws://{}/ws", demo.shop.host());
    let mut socket = open_websocket(demo.stack.address()?, &url).await?;
    socket.echo("still there?", SOON).await?;
    let fallen = wait_for_zero(demo, mark, &demo.burst).await?;
    line.at(fallen.at, "`burst` is at zero");
    // As long again as any idle app may live.
    let span = demo.cooldown + ACTIVE_WINDOW + Duration::from_secs(2);
    let quiet = tokio::time::sleep(span.saturating_sub(line.start().elapsed()));
    meanwhile("the WebSocket is quiet", quiet).await;
    let is_down = |event: &Event| *event == Event::Scaled(1, 0);
    let n_falls = demo
        .autoscaler
        .journal()
        .count(mark, &demo.shop.name, is_down);
    ensure!(n_falls == 0, "`shop` fell to zero under an open WebSocket");
    socket.echo("still there?", SOON).await?;
    line.at(Instant::now(), "the WebSocket still echoes, `shop` is up");
    socket.close().await?;
    line.print();
    Ok(())
}

/// Nothing is asked any more.
pub(crate) async fn back_to_zero(demo: &Demo) -> Result<()> {
    say("\n4. The WebSocket is closed, and nothing else runs");
    let mut line = Timeline::begin("WebSocket closed");
    let mark = demo.autoscaler.journal().len();
    let fallen = wait_for_zero(demo, mark, &demo.shop).await?;
    line.at(fallen.at, "`shop` is at zero: its process has ended");
    line.print();
    Ok(())
}

async fn ask(address: SocketAddr, service: Service) -> Result<(Instant, Answer)> {
    let answer = fetch(Version::H1, address, get(&service.url("/slow?ms=5"))?).await?;
    Ok((Instant::now(), answer))
}

async fn wait_for_zero(demo: &Demo, mark: usize, service: &Service) -> Result<Entry> {
    let limit = demo.cooldown + ACTIVE_WINDOW + SOON;
    let is_it = |event: &Event| *event == Event::AppStopped;
    let stopped = demo
        .autoscaler
        .journal()
        .wait(limit, mark, &service.name, is_it);
    meanwhile(&format!("`{}` cools down", service.name), stopped).await
}

async fn wait(
    demo: &Demo,
    mark: usize,
    service: &Service,
    is_it: impl Fn(&Event) -> bool,
) -> Result<Entry> {
    demo.autoscaler
        .journal()
        .wait(SOON, mark, &service.name, is_it)
        .await
}

/// What the filter says in `server-timing`.
fn held_time(answer: &Answer) -> Result<Duration> {
    let timing = answer.header("server-timing");
    let held = timing
        .strip_prefix("wakegate;dur=")
        .and_then(|ms| ms.parse().ok());
    held.map(Duration::from_millis)
        .with_context(|| format!("server-timing is {timing:?}"))
}
