//! Header and path bytes that are not UTF-8 kill nothing, asleep or ready, and arrive as they were sent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::{H2, Raw, get, read};
use wakegate_e2e::{Service, Stack};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn they_kill_nothing() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    let host = shop.host();
    // Held in a VM that must live on: their fate shows whether it did.
    let connection = H2::open(stack.address()?).await?;
    let witnesses = (0..8).map(|_| Ok(connection.send(get(&shop.url("/"))?)));
    let witnesses = witnesses.collect::<Result<Vec<_>>>()?;
    let mut odd = Vec::new();
    for name in ["x-odd", "accept", "content-type", "user-agent", "cookie"] {
        odd.push((name, send(&stack, &host, "/odd", name).await?));
    }
    odd.push((
        "an escaped path",
        send(&stack, &host, "/%FF%FE?q=%80", "x-odd").await?,
    ));
    stack.held_is(14, SOON).await?;
    envoy_refuses_others_itself(&stack, &host).await?;

    let app = stack.wake(&shop).await?;
    for witness in witnesses {
        ensure!(read(witness.await?).await?.status == 200, "a witness");
    }
    for (name, client) in odd {
        arrived_unchanged(client).await.context(name)?;
    }
    // And once more, with the backend ready.
    arrived_unchanged(send(&stack, &host, "/", "x-odd").await?)
        .await
        .context("ready")?;
    stack.is_well()?;
    app.stop(SOON).await?;
    stack.finish().await
}

/// A request with three odd bytes in the header `name`.
async fn send(stack: &Stack, host: &str, path: &str, name: &str) -> Result<Raw> {
    let mut client = Raw::open(stack.address()?).await?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{name}: a");
    client
        .send(&[head.as_bytes(), b"\xff\xfe\x80\r\n\r\n"].concat())
        .await?;
    Ok(client)
}

/// The app tells bytes in Rust's escapes, and JSON escapes their backslashes.
async fn arrived_unchanged(mut client: Raw) -> Result<()> {
    let answer = client.read_until(SOON, |_| false).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    ensure!(answer.contains(r"a\\xff\\xfe\\x80"), "{answer}");
    Ok(())
}

/// Bytes in the path and the host: nothing of them may reach the filter half.
async fn envoy_refuses_others_itself(stack: &Stack, host: &str) -> Result<()> {
    for request in [
        [
            b"GET /\xff HTTP/1.1\r\nhost: ".as_slice(),
            host.as_bytes(),
            b"\r\n\r\n",
        ]
        .concat(),
        b"GET / HTTP/1.1\r\nhost: \xff.test\r\n\r\n".to_vec(),
    ] {
        let mut client = Raw::open(stack.address()?).await?;
        client.send(&request).await?;
        let status = client.status(SOON).await?;
        ensure!((400..500).contains(&status), "answered with {status}");
    }
    Ok(())
}
