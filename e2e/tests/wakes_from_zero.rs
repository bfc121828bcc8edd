//! A request to a service without a process wakes one and is answered by it, whatever it speaks.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream;
use tokio::time;
use wakegate_e2e::autoscaler::{Event, ScaledObject};
use wakegate_e2e::client::{Answer, H1, H2, Talk, get, open_websocket, read};
use wakegate_e2e::sample::Note;
use wakegate_e2e::{Service, Stack, eventually};

/// From zero to an answer, on a busy machine.
const WAKE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_protocol_wakes_its_backend() -> Result<()> {
    let services = ["get", "h2", "sse", "unary", "bidi", "ws"].map(Service::new);
    let stack = Stack::of(&services.iter().collect::<Vec<_>>()).await?;
    let objects = services
        .iter()
        .map(|service| ScaledObject::new(service, stack.sample_app()));
    let autoscaler = stack.autoscale_all(objects.collect())?;
    for service in &services {
        let is_open = |event: &Event| *event == Event::StreamOpened;
        autoscaler
            .journal()
            .wait(WAKE, 0, &service.name, is_open)
            .await?;
    }
    let [http1, http2, events, unary, bidi, websocket] = &services;
    let all = async {
        tokio::try_join!(
            get_http1(&stack, http1),
            get_http2(&stack, http2),
            get_events(&stack, events),
            say(&stack, unary),
            chat(&stack, bidi),
            upgrade(&stack, websocket),
        )
    };
    time::timeout(WAKE, all)
        .await
        .context("every protocol is answered in time")??;
    for service in &services {
        let told = autoscaler
            .journal()
            .find(0, &service.name, |event| *event == Event::Told(true));
        ensure!(
            told.is_some(),
            "{} was woken by polling, not by the stream",
            service.name
        );
    }
    drop(autoscaler);
    stack.finish().await
}

/// Endpoints by state of the world instead of differences, and the held time in the access log.
#[tokio::test]
async fn a_wake_is_told_in_the_access_log() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder()
        .serve(shop.clone())
        .state_of_the_world()
        .start()
        .await?;
    let autoscaler = stack.autoscale(&shop)?;
    let answer = stack.get(&shop, "/logged").await?;
    was_held(&answer)?;
    let timing = answer.header("server-timing").to_owned();
    let entry = eventually(WAKE, "an entry in the access log", async || {
        let entries = stack.envoy().ok()?.access_log().ok()?;
        entries
            .into_iter()
            .find(|entry| entry.get("path").is_some_and(|path| path == "/logged"))
    });
    let entry = entry.await?;
    let held_ms = entry
        .get("held_ms")
        .map(|held| held.as_str().unwrap_or_default().to_owned());
    let held_ms = held_ms.with_context(|| format!("no held time: {entry}"))?;
    ensure!(
        timing == format!("wakegate;dur={held_ms}"),
        "{timing} and {entry}"
    );
    drop(autoscaler);
    stack.finish().await
}

async fn get_http1(stack: &Stack, service: &Service) -> Result<()> {
    let mut client = H1::open(stack.address()?).await?;
    let cold = read(client.send(get(&service.url("/"))?).await?).await?;
    was_held(&cold).context("HTTP/1.1")?;
    let warm = read(client.send(get(&service.url("/"))?).await?).await?;
    ensure!(warm.status == 200, "the second request: {}", warm.status);
    ensure!(
        warm.header("x-wakegate-cold-start").is_empty(),
        "the second request was not held"
    );
    Ok(())
}

async fn get_http2(stack: &Stack, service: &Service) -> Result<()> {
    let client = H2::open(stack.address()?).await?;
    let answer = read(client.send(get(&service.url("/"))?).await?).await?;
    was_held(&answer).context("HTTP/2")
}

async fn get_events(stack: &Stack, service: &Service) -> Result<()> {
    let mut client = H1::open(stack.address()?).await?;
    let answer = read(client.send(get(&service.url("/sse?n=4&ms=50"))?).await?).await?;
    was_held(&answer).context("server-sent events")?;
    ensure!(
        answer.text().matches("data: tick").count() == 4,
        "all events: {}",
        answer.text()
    );
    Ok(())
}

async fn say(stack: &Stack, service: &Service) -> Result<()> {
    let mut talk = Talk::open(stack.address()?, &service.host()).await?;
    let answer = talk.say("good morning").await.context("gRPC unary")?;
    ensure!(
        answer.metadata().contains_key("x-wakegate-cold-start"),
        "gRPC unary was not held"
    );
    ensure!(
        answer.into_inner().text == "good morning",
        "the note came back"
    );
    Ok(())
}

async fn chat(stack: &Stack, service: &Service) -> Result<()> {
    let mut talk = Talk::open(stack.address()?, &service.host()).await?;
    let notes: Vec<_> = (0..20)
        .map(|n| Note {
            text: format!("note {n}"),
        })
        .collect();
    let answer = talk
        .chat(stream::iter(notes.clone()))
        .await
        .context("gRPC bidi")?;
    ensure!(
        answer.metadata().contains_key("x-wakegate-cold-start"),
        "gRPC bidi was not held"
    );
    let mut echoes = answer.into_inner();
    for note in notes {
        ensure!(
            echoes.message().await? == Some(note.clone()),
            "{} came back",
            note.text
        );
    }
    ensure!(
        echoes.message().await?.is_none(),
        "the stream ends after the last note"
    );
    ensure!(
        echoes.trailers().await?.is_some(),
        "a gRPC call ends with trailers"
    );
    Ok(())
}

async fn upgrade(stack: &Stack, service: &Service) -> Result<()> {
    let url = format!("ws://{}/ws", service.host());
    let mut socket = open_websocket(stack.address()?, &url)
        .await
        .context("WebSocket")?;
    ensure!(
        socket
            .handshake
            .headers()
            .contains_key("x-wakegate-cold-start"),
        "the upgrade was not held"
    );
    socket.echo("good morning", WAKE).await?;
    socket.close().await
}

fn was_held(answer: &Answer) -> Result<()> {
    ensure!(
        answer.status == 200,
        "answered with {}: {}",
        answer.status,
        answer.text()
    );
    ensure!(
        answer.header("x-wakegate-cold-start") == "true",
        "no mark of a cold start"
    );
    let timing = answer.header("server-timing");
    let held_ms = timing
        .strip_prefix("wakegate;dur=")
        .and_then(|ms| ms.parse::<u64>().ok());
    ensure!(
        held_ms.is_some_and(|ms| ms > 0),
        "server-timing is {timing:?}"
    );
    Ok(())
}
