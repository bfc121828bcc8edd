//! No bytes kill a filter VM, neither a client's nor those of the servers that it listens to.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use futures::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use wakegate_e2e::client::{H2, Pending, Raw, get, read};
use wakegate_e2e::{Background, Service, Stack, eventually, table};
use wakegate_wire::{Message, v1};

const SOON: Duration = Duration::from_secs(20);

/// How long each of the two tests goes on.
const SPAN: Duration = Duration::from_secs(8);

/// Clients at once.
const N_CLIENTS: u64 = 8;

/// A client does not wait for what may never come.
const PATIENCE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn of_clients() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    // Held in the VMs that must live on.
    let mut witnesses: Vec<(H2, Pending)> = Vec::new();
    for _ in 0..8 {
        let connection = H2::open(stack.address()?).await?;
        let request: Pending = Box::pin(connection.send(get(&shop.url("/"))?));
        witnesses.push((connection, request));
    }
    stack.held_is(8, SOON).await?;

    let end = Instant::now() + SPAN;
    let clients = (0..N_CLIENTS).map(|seed| speak_nonsense(&stack, &shop, seed, end));
    let n_sent: u32 = try_join_all(clients).await?.into_iter().sum();
    ensure!(n_sent > 100, "only {n_sent} were sent");
    stack.is_well()?;

    let app = stack.wake(&shop).await?;
    for (_connection, request) in witnesses {
        ensure!(read(request.await?).await?.status == 200, "a witness");
    }
    ensure!(stack.get(&shop, "/").await?.status == 200);
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn of_servers() -> Result<()> {
    let shop = Service::new("shop");
    let server = Garbage::start(message(&table(&shop, "aa", 0))).await?;
    let stack = Stack::builder()
        .serve(shop.clone())
        .peer(server.address)
        .start()
        .await?;
    let mut random = SmallRng::seed_from_u64(3);
    let end = Instant::now() + SPAN;
    let mut n_sent = 0;
    while Instant::now() < end {
        let update = table(&shop, "bb", random.random_range(0..2));
        let mut bytes = message(&update);
        for _ in 0..random.random_range(1..6) {
            mutate(&mut bytes, &mut random);
        }
        server.say(&bytes);
        n_sent += 1;
        // Requests go through the tables that some of it makes.
        if n_sent % 16 == 0 {
            let connection = H2::open(stack.address()?).await?;
            let request = connection.send(get(&shop.url("/some/path?q=1"))?);
            drop(tokio::time::timeout(PATIENCE, request).await);
        }
    }
    ensure!(n_sent > 100, "only {n_sent} were sent");
    let refused = async || {
        stack
            .counted("refused_updates_total")
            .await
            .ok()
            .filter(|n| *n > 0)
    };
    eventually(SOON, "something is refused", refused).await?;

    server.say(&message(&table(&shop, "cc", 0)));
    let connection = H2::open(stack.address()?).await?;
    let held = connection.send_until_held(&shop.url("/"), SOON).await?;
    let app = stack.sample_app().start("shop").await?;
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    server.say(&message(&table(&shop, "dd", 1)));
    ensure!(read(held.await?).await?.status == 200, "after all of it");
    app.stop(SOON).await?;
    stack.finish().await
}

/// Opens connections and says what is nearly HTTP on them; returns how many.
async fn speak_nonsense(stack: &Stack, shop: &Service, seed: u64, end: Instant) -> Result<u32> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut n_sent = 0;
    while Instant::now() < end {
        let mut bytes = if random.random_bool(0.5) {
            in_http1(shop, &mut random)
        } else {
            in_http2(shop, &mut random)?
        };
        for _ in 0..random.random_range(0..3) {
            mutate(&mut bytes, &mut random);
        }
        let mut client = Raw::open(stack.address()?).await?;
        // Envoy may close the connection before all is sent.
        drop(client.send(&bytes).await);
        drop(client.read_until(PATIENCE, |_| false).await);
        n_sent += 1;
    }
    Ok(n_sent)
}

/// Some requests of HTTP/1.1, one after the other without waiting.
fn in_http1(shop: &Service, random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(1..4) {
        let host = host(shop, random);
        let path = text(random, 40);
        bytes.extend(b"GET /");
        bytes.extend(path.iter().filter(|byte| byte.is_ascii_graphic()));
        bytes.extend(b" HTTP/1.1\r\nhost: ");
        bytes.extend(host);
        for _ in 0..random.random_range(0..6) {
            bytes.extend(b"\r\n");
            bytes.extend(header_name(random));
            bytes.extend(b": ");
            let value = text(random, 300);
            bytes.extend(value.iter().filter(|byte| !b"\r\n\0".contains(byte)));
        }
        bytes.extend(b"\r\n\r\n");
    }
    bytes
}

/// Some requests of HTTP/2, with literal headers, and some frames that belong to none.
fn in_http2(shop: &Service, random: &mut SmallRng) -> Result<Vec<u8>> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in 0..random.random_range(1..5_u8) {
        // GET and http; the rest is literal.
        let mut block = vec![0x82, 0x86];
        literal(&mut block, b":path", &[b"/", &*text(random, 60)].concat())?;
        literal(&mut block, b":authority", &host(shop, random))?;
        for _ in 0..random.random_range(0..6) {
            let name = header_name(random).to_ascii_lowercase();
            literal(&mut block, &name, &text(random, 120))?;
        }
        frame(&mut bytes, 0x1, 0x5, stream * 2 + 1, &block);
        if random.random_bool(0.3) {
            let (kind, flags) = (random.random_range(0..12), random.random());
            frame(&mut bytes, kind, flags, random.random(), &text(random, 40));
        }
    }
    Ok(bytes)
}

fn host(shop: &Service, random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..6) {
        0 => text(random, 20),
        1 => format!("{}.:080", shop.host().to_uppercase()).into_bytes(),
        _ => shop.host().into_bytes(),
    }
}

fn header_name(random: &mut SmallRng) -> Vec<u8> {
    let known = [
        "accept",
        "content-type",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "connection",
        "user-agent",
        "te",
        "expect",
        "x-envoy-retry-on",
        "x-forwarded-for",
        "cookie",
    ];
    match random.random_range(0..3) {
        0 => text(random, 12),
        _ => known[random.random_range(0..known.len())].into(),
    }
}

/// Bytes, most of which are text.
fn text(random: &mut SmallRng, most: usize) -> Vec<u8> {
    let n_bytes = random.random_range(0..=most);
    let bytes = (0..n_bytes).map(|_| match random.random_range(0..20) {
        0 => random.random(),
        1 => b'/',
        2 => b',',
        _ => random.random_range(b'a'..=b'z'),
    });
    bytes.collect()
}

/// A header that is not to be indexed, without Huffman's code.
fn literal(block: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<()> {
    block.push(0x10);
    for text in [name, value] {
        // A length above 126 goes on in a second byte.
        let n_bytes = u8::try_from(text.len().min(250))?;
        match n_bytes.checked_sub(127) {
            None => block.push(n_bytes),
            Some(rest) => block.extend([127, rest]),
        }
        block.extend(&text[..usize::from(n_bytes)]);
    }
    Ok(())
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
    let [.., a, b, c] = payload.len().to_be_bytes();
    bytes.extend([a, b, c, kind, flags, 0, 0, 0, stream]);
    bytes.extend(payload);
}

/// Changes, takes out, puts in or repeats some bytes.
fn mutate(bytes: &mut Vec<u8>, random: &mut SmallRng) {
    if bytes.is_empty() {
        return;
    }
    let at = random.random_range(0..bytes.len());
    let until = (at + random.random_range(1..20)).min(bytes.len());
    match random.random_range(0..5) {
        0 => bytes[at] = random.random(),
        1 => bytes[at] ^= 1 << random.random_range(0..8),
        2 => drop(bytes.drain(at..until)),
        3 => {
            let again = bytes[at..until].to_vec();
            bytes.splice(at..at, again);
        }
        _ => drop(bytes.splice(at..at, text(random, 20))),
    }
}

fn message(update: &v1::Update) -> Vec<u8> {
    let response = v1::WatchResponse {
        response: Some(v1::watch_response::Response::Update(update.clone())),
    };
    response.encode_to_vec()
}

/// A server that answers every call with the same stream of whatever bytes it is given, each as a message.
struct Garbage {
    address: SocketAddr,
    said: broadcast::Sender<Bytes>,
    _server: Background,
}

impl Garbage {
    async fn start(first: Vec<u8>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let address = listener.local_addr()?;
        let said = broadcast::Sender::new(1_024);
        let (first, sender) = (framed(&first), said.clone());
        let server = Background::start(async move {
            let mut connections = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (first, sender) = (first.clone(), sender.clone());
                let answer = service_fn(move |_request| {
                    let later = BroadcastStream::new(sender.subscribe());
                    let later = later.filter_map(async |bytes| bytes.ok());
                    let all = stream::iter([first.clone()]).chain(later);
                    let all = all.map(|bytes| Ok::<_, std::io::Error>(Frame::data(bytes)));
                    let mut response = hyper::Response::new(StreamBody::new(all.boxed()));
                    let kind = http::HeaderValue::from_static("application/grpc");
                    response.headers_mut().insert("content-type", kind);
                    async { Ok::<_, std::io::Error>(response) }
                });
                let server = http2::Builder::new(TokioExecutor::new());
                let connection = server.serve_connection(TokioIo::new(stream), answer);
                connections.push(Background::start(async { drop(connection.await) }));
            }
        });
        Ok(Self {
            address,
            said,
            _server: server,
        })
    }

    fn say(&self, bytes: &[u8]) {
        // An error says that no stream is open.
        drop(self.said.send(framed(bytes)));
    }
}

fn framed(bytes: &[u8]) -> Bytes {
    let [.., a, b, c, d] = bytes.len().to_be_bytes();
    [&[0, a, b, c, d], bytes].concat().into()
}
