//! What a client sends while its request is held arrives whole, however large and however sent.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use wakegate_e2e::client::{Answer, Version, fetch, full, post, streamed};
use wakegate_e2e::{Service, Stack};

const SOON: Duration = Duration::from_secs(20);
const TEN_MEGABYTES: usize = 10 * 1024 * 1024;

#[tokio::test]
async fn large_and_chunked_bodies_are_whole() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let address = stack.address()?;
    let body = noise(TEN_MEGABYTES);
    let url = shop.url("/upload");

    let http1 = fetch(Version::H1, address, post(&url, full(body.clone()))?);
    let http2 = fetch(Version::H2, address, post(&url, full(body.clone()))?);
    let chunks: Vec<_> = body.chunks(70_000).map(Bytes::copy_from_slice).collect();
    let chunked = fetch(
        Version::H1,
        address,
        post(&url, streamed(stream::iter(chunks)))?,
    );
    // This one sends its second half only after the wake.
    let (rest, halves) = mpsc::channel::<Bytes>(1);
    let (first, second) = (
        body.slice(..TEN_MEGABYTES / 2),
        body.slice(TEN_MEGABYTES / 2..),
    );
    let halves = stream::iter([first]).chain(ReceiverStream::new(halves));
    let slow = fetch(Version::H1, address, post(&url, streamed(halves))?);
    let wake = async {
        stack.held_is(4, SOON).await?;
        let app = stack.wake(&shop).await?;
        stack.held_is(0, SOON).await?;
        rest.send(second).await?;
        drop(rest);
        Ok(app)
    };

    let (http1, http2, chunked, slow, app) = tokio::try_join!(http1, http2, chunked, slow, wake)?;
    for (name, answer) in [
        ("h1", http1),
        ("h2", http2),
        ("chunked", chunked),
        ("slow", slow),
    ] {
        is_whole(name, &answer, &body)?;
    }
    app.stop(SOON).await?;
    stack.finish().await
}

fn is_whole(name: &str, answer: &Answer, body: &[u8]) -> Result<()> {
    ensure!(
        answer.status == 200,
        "{name}: {} {}",
        answer.status,
        answer.text()
    );
    ensure!(
        answer.header("x-wakegate-cold-start") == "true",
        "{name} was not held"
    );
    let seen = answer.json()?;
    let digest = Sha256::digest(body);
    let digest = digest
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    ensure!(
        seen.pointer("/body/length") == Some(&json!(body.len())),
        "{name}: {seen}"
    );
    ensure!(
        seen.pointer("/body/sha256") == Some(&json!(digest)),
        "{name}: {seen}"
    );
    Ok(())
}

/// Bytes without a pattern that a lost or doubled chunk could hide in.
fn noise(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    rand::fill(bytes.as_mut_slice());
    bytes.into()
}
