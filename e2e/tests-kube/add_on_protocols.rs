//! Calls of gRPC and `WebSocket`s wake a workload by an `InterceptorRoute`, and are demand as long as they last.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream;
use wakegate_e2e::client::{Talk, open_websocket};
use wakegate_e2e::kube::Scene;
use wakegate_e2e::sample::Note;

use crate::add_on::{is_ready, routed};
use crate::cycle::{host, url, woken_by_keda};

const MARK: &str = "x-keda-http-cold-start";
/// Longer than the scaler's time to idle and the cooldown.
const A_WHILE: Duration = Duration::from_secs(10);
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn calls_of_grpc_wake_it() -> Result<()> {
    let scene = Scene::shared("route_grpc", &routed("shop").await?, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    let mut talk = Talk::open(scene.envoy()?.address(), "shop.test").await?;
    let answer = talk.say("good morning").await.context("a call at zero")?;
    let mark = answer.metadata().get(MARK).map(|mark| mark.to_str());
    ensure!(matches!(mark, Some(Ok("true"))), "it is marked {mark:?}");
    ensure!(
        answer.into_inner().text == "good morning",
        "the note is back"
    );
    woken_by_keda(&scene, "shop").await?;
    scene.deployment_is_at("shop", 0).await?;

    scene.is_asleep(&url("shop")).await?;
    let note = |text: &str| Note {
        text: text.to_owned(),
    };
    let notes = stream::iter([note("one"), note("two")]);
    let chat = talk.chat(notes).await.context("a stream at zero")?;
    let mut notes = chat.into_inner();
    for text in ["one", "two"] {
        let note = notes.message().await?.context("the stream goes on")?;
        ensure!(note.text == text, "{} is not {text}", note.text);
    }
    scene.finish().await
}

#[tokio::test]
async fn a_websocket_wakes_it_and_keeps_it_awake() -> Result<()> {
    let scene = Scene::shared("route_websocket", &routed("shop").await?, &[host("shop")]).await?;
    is_ready(&scene, "shop").await?;
    let url = "ws://shop.test/ws";
    let mut socket = open_websocket(scene.envoy()?.address(), url).await?;
    let mark = socket.handshake.headers().get(MARK);
    ensure!(mark.is_some_and(|it| it == "true"), "it is marked {mark:?}");
    woken_by_keda(&scene, "shop").await?;
    socket.echo("hello", AT_ONCE).await?;
    scene.deployment_stays_at("shop", 1, A_WHILE).await?;
    socket.echo("still there", AT_ONCE).await?;
    socket.close().await?;
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await
}
