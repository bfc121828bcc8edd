//! The sample app: an HTTP/1.1 and h2c server on one port that shows what reached it. A process of
//! its own (`sample-app`), so that scaling to zero really ends something.

mod grpc;
mod http;
mod websocket;

use std::convert::Infallible;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::{Method, Request, Response};
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

pub use grpc::Note;

/// More streams than a test releases at once, so that one connection carries them all in order.
const MAX_STREAMS: u32 = 20_000;

/// The path of the unary gRPC method: answers with the note that it got.
pub const GRPC_SAY: &str = "/wakegate.e2e.Talk/Say";
/// The path of the bidirectional gRPC method: answers each note with the same one.
pub const GRPC_CHAT: &str = "/wakegate.e2e.Talk/Chat";

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, BoxError>;

/// How the app is told to behave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behaviour {
    /// Waited before each answer.
    pub response_delay: Duration,
    /// The share of requests that are answered with 500.
    pub error_rate: f64,
    /// Connections and upgrades may last this long after the app was told to stop.
    pub drain_limit: Duration,
}

/// What all requests share.
#[derive(Debug)]
struct App {
    behaviour: Behaviour,
    n_arrived: AtomicU64,
    upgraded: Mutex<JoinSet<()>>,
    /// `/ready` is answered with 503 until then.
    unready_until: Mutex<Instant>,
    /// All but `/fail` is answered with 503 until then.
    failing_until: Mutex<Instant>,
    shutdown: CancellationToken,
}

/// Serves until `shutdown`, then lets what is under way finish within the drain limit.
pub async fn serve(listener: TcpListener, behaviour: Behaviour, shutdown: CancellationToken) {
    let app = Arc::new(App {
        behaviour,
        n_arrived: AtomicU64::new(0),
        upgraded: Mutex::default(),
        unready_until: Mutex::new(Instant::now()),
        failing_until: Mutex::new(Instant::now()),
        shutdown: shutdown.clone(),
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve_connection(Arc::clone(&app), stream)); }
                Err(error) => {
                    // Out of file descriptors: leave the others time to give theirs back.
                    tracing::warn!(%error, "connection not accepted");
                    time::sleep(Duration::from_millis(10)).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async {
        while connections.join_next().await.is_some() {}
        let mut upgraded = std::mem::take(&mut *app.upgraded.lock());
        while upgraded.join_next().await.is_some() {}
    };
    if time::timeout(behaviour.drain_limit, drained).await.is_err() {
        tracing::warn!("drain limit reached, connections cut");
    }
}

/// Writes the address that was bound, whole or not at all.
pub fn write_address_file(path: &Path, listener: &TcpListener) -> Result<()> {
    let address = listener.local_addr().context("ask for the bound address")?;
    let partial = path.with_extension("partial");
    std::fs::write(&partial, address.to_string()).context("write the address file")?;
    std::fs::rename(&partial, path).context("put the address file in place")
}

async fn serve_connection(app: Arc<App>, stream: TcpStream) {
    // Small answers must not wait for an ack of the last one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().max_concurrent_streams(MAX_STREAMS);
    let service = service_fn(|request| {
        // Taken here and not in the future: hyper calls in the order of arrival, and runs the futures
        // in any order.
        let sequence = app.n_arrived.fetch_add(1, Ordering::SeqCst);
        answer(Arc::clone(&app), request, sequence)
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "connection ended");
    }
}

async fn answer(
    app: Arc<App>,
    request: Request<Incoming>,
    sequence: u64,
) -> Result<Response<Body>, Infallible> {
    tracing::debug!(sequence, method = %request.method(), path = request.uri().path(), "request");
    time::sleep(app.behaviour.response_delay).await;
    if rand::random::<f64>() < app.behaviour.error_rate {
        return Ok(http::plain(500, "told to fail"));
    }
    if request.uri().path() != "/fail" && Instant::now() < *app.failing_until.lock() {
        return Ok(http::plain(503, "told to fail\n"));
    }
    let is_head = request.method() == Method::HEAD;
    let response = match request.uri().path() {
        "/fail" => http::fail(&app, &request),
        GRPC_SAY => grpc::say(request).await,
        GRPC_CHAT => grpc::chat(request).await,
        "/ws" => websocket::echo(&app, request),
        "/ready" => http::ready(&app),
        "/unready" => http::unready(&app, &request),
        _ => http::answer(request, sequence).await,
    };
    // hyper leaves the body away over HTTP/1.1 alone.
    Ok(if is_head {
        response.map(|_| Empty::new().map_err(|never| match never {}).boxed_unsync())
    } else {
        response
    })
}
