//! The harness itself, and the baseline of every other test: an Envoy without the filter answers
//! 503 at zero and passes every protocol when the app is there.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures::stream;
use wakegate_e2e::client::{H2, Talk, Version, fetch, get, open_websocket, post, read, streamed};
use wakegate_e2e::sample::Note;
use wakegate_e2e::{Service, Stack, eventually_is};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn every_protocol_passes_a_bare_envoy() -> Result<()> {
    let shop = Service::new("shop");
    let builder = Stack::builder()
        .serve(shop.clone())
        .without_filter()
        .without_control_plane();
    let stack = builder.start().await?;
    assert_eq!(stack.get(&shop, "/").await?.status, 503, "no endpoint");

    let app = stack.sample_app().start("shop").await?;
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    let admin = stack.envoy()?.admin();
    eventually_is(SOON, "healthy hosts", 1, async || {
        admin.n_healthy(&shop.backend()).await
    })
    .await?;

    let described = stack.get(&shop, "/a?b=c").await?.json()?;
    assert_eq!(described["path"], "/a?b=c");
    assert_eq!(described["method"], "GET");

    let chunks = stream::iter(["wake", "gate"].map(Bytes::from));
    let request = post(&shop.url("/echo"), streamed(chunks))?;
    let echo = fetch(Version::H1, stack.address()?, request).await?;
    assert_eq!(echo.text(), "wakegate");

    let h2 = H2::open(stack.address()?).await?;
    let events = read(h2.send(get(&shop.url("/sse?n=3&ms=1"))?).await?).await?;
    assert_eq!(events.header("content-type"), "text/event-stream");
    assert_eq!(events.text().matches("data: tick").count(), 3);

    let mut talk = Talk::open(stack.address()?, &shop.host()).await?;
    assert_eq!(talk.say("hello").await?.into_inner().text, "hello");
    let failed = talk.say("fail").await.unwrap_err();
    assert_eq!(failed.code(), tonic::Code::Aborted);
    let notes = ["a", "b"].map(|text| Note {
        text: text.to_owned(),
    });
    let mut echoes = talk.chat(stream::iter(notes)).await?.into_inner();
    assert_eq!(
        echoes.message().await?.map(|note| note.text).as_deref(),
        Some("a")
    );
    assert_eq!(
        echoes.message().await?.map(|note| note.text).as_deref(),
        Some("b")
    );
    assert_eq!(echoes.message().await?, None);
    assert!(
        echoes.trailers().await?.is_some(),
        "trailers end a gRPC call"
    );

    let url = format!("ws://{}/ws", shop.host());
    let mut socket = open_websocket(stack.address()?, &url).await?;
    socket.echo("hello", SOON).await?;
    socket.close().await?;

    app.stop(SOON).await?;
    stack.finish().await
}
