//! Requests to what is asleep, so that some two hundred are held at any time: HTTP/1.1, h2 and
//! WebSocket, each of which has to end in an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use wakegate_e2e::client::H2;
use wakegate_e2e::{Background, Service, until};

use crate::ask::{Asked, broken, on_h2, once, websocket, within};
use crate::tally::{Outcome, Sums, Tally};

/// Per service: so many connections with one request each, GET and POST in turns.
const N_H1: u64 = 20;
/// Per service: so many h2 connections.
const N_H2: u64 = 3;
/// Requests on each of them.
const N_STREAMS: u64 = 5;
/// Per service.
const N_SOCKETS: u64 = 5;
/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(100);
/// The sleep that is waited for may never come, as in a case in which nothing wakes.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Sleeper {
    pub(crate) service: Arc<Service>,
    /// Whether it is awake; the requests come while it is not.
    pub(crate) awake: watch::Receiver<bool>,
    /// Each request has to end within this.
    pub(crate) limit: Duration,
}

/// The traffic.
#[derive(Debug)]
pub(crate) struct Held {
    tally: Arc<Tally>,
    stop: CancellationToken,
    limit: Duration,
    sending: Background,
}

/// One client, that sends its next request when the last one has ended.
#[derive(Debug, Clone)]
struct Client {
    address: SocketAddr,
    sleeper: Sleeper,
    tally: Arc<Tally>,
    ids: Arc<AtomicU64>,
    stop: CancellationToken,
}

/// How a client asks.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Get,
    Post,
    Streams,
    Socket,
}

impl Held {
    pub(crate) fn start(address: SocketAddr, sleepers: Vec<Sleeper>) -> Self {
        let tally = Arc::new(Tally::default());
        let stop = CancellationToken::new();
        let ids = Arc::new(AtomicU64::new(0));
        let limit = sleepers.iter().map(|sleeper| sleeper.limit).max();
        let mut clients = JoinSet::new();
        for sleeper in sleepers {
            let client = Client {
                address,
                sleeper,
                tally: Arc::clone(&tally),
                ids: Arc::clone(&ids),
                stop: stop.clone(),
            };
            let h1 = (0..N_H1).map(|n| {
                if n % 2 == 0 {
                    Manner::Get
                } else {
                    Manner::Post
                }
            });
            let h2 = (0..N_H2).map(|_| Manner::Streams);
            let sockets = (0..N_SOCKETS).map(|_| Manner::Socket);
            for manner in h1.chain(h2).chain(sockets) {
                clients.spawn(client.clone().run(manner));
            }
        }
        Self {
            tally,
            stop,
            limit: limit.unwrap_or_default(),
            sending: Background::start(async move { while clients.join_next().await.is_some() {} }),
        }
    }

    pub(crate) fn sums(&self) -> Sums {
        self.tally.sums()
    }

    /// Sends nothing more, and waits for what is held.
    pub(crate) async fn finish(mut self) -> Result<Sums> {
        self.stop.cancel();
        let limit = self.limit * 2;
        let is_done = || self.sending.is_done().then_some(());
        until(limit, "the last held request ends", is_done).await?;
        Ok(self.sums())
    }
}

impl Client {
    async fn run(mut self, manner: Manner) {
        while self
            .stop
            .run_until_cancelled(self.sleeper.rest())
            .await
            .is_some()
        {
            match manner {
                Manner::Get => self.ask(Asked::get).await,
                Manner::Post => self.ask(Asked::post).await,
                Manner::Streams => self.streams().await,
                Manner::Socket => self.socket().await,
            }
        }
    }

    fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    async fn ask(&self, asked: impl Fn(&Arc<Service>, u64) -> Asked) {
        let asked = asked(&self.sleeper.service, self.id());
        self.record(once(self.address, &asked)).await;
    }

    async fn streams(&self) {
        match H2::open(self.address).await {
            Ok(connection) => {
                let asked = (0..N_STREAMS).map(|_| {
                    let asked = Asked::get(&self.sleeper.service, self.id());
                    let connection = &connection;
                    self.record(async move { on_h2(connection, &asked).await })
                });
                join_all(asked).await;
            }
            Err(error) => self.tally.record(broken(&error), Duration::ZERO),
        }
    }

    async fn socket(&self) {
        let word = format!("word {}", self.id());
        self.record(websocket(self.address, &self.sleeper.service, &word))
            .await;
    }

    async fn record(&self, asking: impl Future<Output = Outcome>) {
        let begin = Instant::now();
        let outcome = within(self.sleeper.limit, asking).await;
        self.tally.record(outcome, begin.elapsed());
    }
}

impl Sleeper {
    /// Until it sleeps again, or at least a moment.
    async fn rest(&mut self) {
        time::sleep(PAUSE).await;
        let asleep = self.awake.wait_for(|is_awake| !is_awake);
        // Nobody tells any more, or not in time: then it is asked for as it is.
        drop(time::timeout(LONGEST_PAUSE, asleep).await);
    }
}
