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

/// Bytes in the path, the host and a header's name: nothing of them may reach the filter half.
async fn envoy_refuses_others_itself(stack: &Stack, host: &str) -> Result<()> {
    for request in [
        [
            b"GET / HTTP/1.1\r\nx-\xff: 1\r\nhost: ".as_slice(),
            host.as_bytes(),
            b"\r\n\r\n",
        ]
        .concat(),
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
    // The same bytes but for the name are held: it is the name that is refused.
    let mut plain = Raw::open(stack.address()?).await?;
    plain.send(&h2_with_header(host, b"x-odd")?).await?;
    stack.held_is(15, SOON).await?;
    let mut odd = Raw::open(stack.address()?).await?;
    odd.send(&h2_with_header(host, b"x-od\xff")?).await?;
    odd.read_until(SOON, is_refused).await?;
    Ok(())
}

/// A request that no HTTP/2 library sends: its header's name is literal bytes, without Huffman's code.
fn h2_with_header(host: &str, name: &[u8]) -> Result<Vec<u8>> {
    let indexed = [0x82, 0x86, 0x84]; // GET, http, /
    let authority = [&[0x41, u8::try_from(host.len())?], host.as_bytes()].concat();
    let header = [&[0x40, u8::try_from(name.len())?], name, b"\x011"].concat();
    let block = [indexed.as_slice(), &authority, &header].concat();
    let frame = [0, 0, u8::try_from(block.len())?, 0x1, 0x5, 0, 0, 0, 1];
    let settings = [0, 0, 0, 0x4, 0, 0, 0, 0, 0];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    Ok([preface, &settings, &frame, &block].concat())
}

/// Whether a frame resets the stream (3), ends the connection (7) or answers (1). Closing it says as much.
fn is_refused(mut bytes: &[u8]) -> bool {
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        if [0x1, 0x3, 0x7].contains(kind) {
            return true;
        }
        let n_bytes = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        bytes = rest.get(n_bytes..).unwrap_or_default();
    }
    false
}
