//! A backend in the bench's own process: serves so many requests a second and queues the rest, and
//! notes who arrived when.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use wakegate_e2e::Background;

/// Requests that it works on at once; the others wait for their turn, first come first served.
const CONCURRENCY: u32 = 10;

/// Above what Envoy has under way on one connection, so that one carries all, in order.
const MAX_STREAMS: u32 = 1_024;

/// The backend; dropped, it closes its listener and all its connections.
#[derive(Debug)]
pub(crate) struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: Background,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Their paths; probes left aside.
    arrivals: Mutex<Vec<String>>,
}

/// When each of the servers is free, the first first: all take the same time, so that who begins first
/// ends first.
#[derive(Debug)]
struct Queue {
    free_at: VecDeque<Instant>,
    service_time: Duration,
}

impl Backend {
    /// Starts one that serves `per_second` at most.
    pub(crate) async fn start(per_second: u32) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let address = listener
            .local_addr()
            .context("ask for the backend's address")?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::new(per_second, Instant::now())),
            arrivals: Mutex::default(),
        });
        let serving = Background::start(serve(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _serving: serving,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn n_arrived(&self) -> usize {
        self.shared.arrivals.lock().len()
    }

    /// The paths of what arrived so far, in order.
    pub(crate) fn arrivals(&self) -> Vec<String> {
        self.shared.arrivals.lock().clone()
    }
}

impl Queue {
    fn new(per_second: u32, now: Instant) -> Self {
        let servers = usize::try_from(CONCURRENCY).unwrap_or(1);
        Self {
            free_at: std::iter::repeat_n(now, servers).collect(),
            service_time: Duration::from_secs(1) * CONCURRENCY / per_second.max(1),
        }
    }

    /// When a request that arrives now is answered.
    fn enter(&mut self, now: Instant) -> Instant {
        let free_at = self.free_at.pop_front().unwrap_or(now);
        let answered_at = free_at.max(now) + self.service_time;
        self.free_at.push_back(answered_at);
        answered_at
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(serve_connection(stream, Arc::clone(&shared)));
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers must not wait for an ack of the last one.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().max_concurrent_streams(MAX_STREAMS);
    // What is noted is noted in the call and not in the future: hyper calls in the order of arrival.
    let service = service_fn(|request| answer(shared.take(&request)));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // An error says that Envoy is gone, or wanted no more: its own business.
    drop(connection.await);
}

async fn answer(at: Option<Instant>) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(at) = at {
        sleep_until(at).await;
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"ok\n"))))
}

impl Shared {
    /// When this request is answered; none, at once, for a probe.
    fn take(&self, request: &Request<Incoming>) -> Option<Instant> {
        if request.method() == Method::HEAD {
            return None;
        }
        self.arrivals.lock().push(request.uri().path().to_owned());
        Some(self.queue.lock().enter(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_at_its_rate_and_no_faster() {
        let now = Instant::now();
        let mut queue = Queue::new(500, now);
        let answers: Vec<_> = (0..1_000).map(|_| queue.enter(now) - now).collect();
        assert_eq!(answers.first(), Some(&Duration::from_millis(20)));
        assert_eq!(answers.get(9), Some(&Duration::from_millis(20)));
        assert_eq!(answers.get(10), Some(&Duration::from_millis(40)));
        assert_eq!(answers.last(), Some(&Duration::from_secs(2)));
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let now = Instant::now();
        let mut queue = Queue::new(500, now);
        let later = now + Duration::from_mins(1);
        assert_eq!(queue.enter(later) - later, Duration::from_millis(20));
    }
}
