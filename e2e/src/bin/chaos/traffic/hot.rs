//! Requests to what is awake, at a rate that does not wait for answers: HTTP/1.1, h2 and WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use wakegate_e2e::client::{H1, H2, open_websocket};
use wakegate_e2e::{Background, Service, until};

use crate::ask::{Asked, broken, on_h1, on_h2, refused, within};
use crate::tally::{Outcome, Sums, Tally};

/// How often requests are sent: so many at once as the rate wants.
const TICK: Duration = Duration::from_millis(20);
const N_SOCKETS: u64 = 10;
/// Between two messages on a socket.
const MESSAGE_PAUSE: Duration = Duration::from_millis(200);
/// Messages on one socket before it is opened anew.
const N_MESSAGES: u64 = 40;

/// What the traffic shall be like.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Gets four fifths of it.
    pub(crate) calm: Arc<Service>,
    /// Gets the rest. Its pod is the one that faults hit.
    pub(crate) shaky: Arc<Service>,
    /// Requests and messages a second, of all kinds.
    pub(crate) rate: u32,
    /// Each request has to end within this.
    pub(crate) limit: Duration,
    /// Whether a request whose connection was closed without an answer is sent a second time, as clients
    /// do that are told to go.
    pub(crate) repeats: bool,
}

/// The traffic through one Envoy.
#[derive(Debug)]
pub(crate) struct Hot {
    lane: Arc<Lane>,
    stop: CancellationToken,
    sending: Background,
}

#[derive(Debug)]
struct Lane {
    address: SocketAddr,
    plan: Plan,
    calm: Tally,
    shaky: Tally,
    idle_h1: Mutex<Vec<H1>>,
    h2: [tokio::sync::Mutex<Option<Arc<H2>>>; 2],
}

impl Hot {
    pub(crate) fn start(address: SocketAddr, plan: Plan) -> Self {
        let lane = Arc::new(Lane {
            address,
            plan,
            calm: Tally::default(),
            shaky: Tally::default(),
            idle_h1: Mutex::default(),
            h2: Default::default(),
        });
        let stop = CancellationToken::new();
        let sending = Background::start(send(Arc::clone(&lane), stop.clone()));
        Self {
            lane,
            stop,
            sending,
        }
    }

    /// To the service that no fault hits, and to the one that some do.
    pub(crate) fn sums(&self) -> [Sums; 2] {
        [self.lane.calm.sums(), self.lane.shaky.sums()]
    }

    /// Sends nothing more, and waits for what is under way.
    pub(crate) async fn finish(mut self) -> Result<[Sums; 2]> {
        self.stop.cancel();
        let limit = self.lane.plan.limit * 2;
        let is_done = || self.sending.is_done().then_some(());
        until(limit, "the last hot request ends", is_done).await?;
        Ok(self.sums())
    }
}

async fn send(lane: Arc<Lane>, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    for socket in 0..N_SOCKETS {
        under_way.spawn(Arc::clone(&lane).converse(socket, stop.clone()));
    }
    let messages = N_SOCKETS * 1_000 / millis(MESSAGE_PAUSE);
    let rate = u64::from(lane.plan.rate).saturating_sub(messages);
    let mut ticks = time::interval(TICK);
    let begin = Instant::now();
    let mut n_sent = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ticks.tick() => {
                let n_due = millis(begin.elapsed()) * rate / 1_000;
                for n in n_sent..n_due {
                    under_way.spawn(Arc::clone(&lane).ask(n));
                }
                n_sent = n_due;
            }
            Some(_) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Lane {
    fn target(&self, n: u64) -> (&Arc<Service>, &Tally) {
        if n.is_multiple_of(5) {
            (&self.plan.shaky, &self.shaky)
        } else {
            (&self.plan.calm, &self.calm)
        }
    }

    async fn ask(self: Arc<Self>, n: u64) {
        let (service, tally) = self.target(n);
        let begin = Instant::now();
        // 7 has no divisor in common with 5, so that each service gets each kind.
        let asking = async {
            match n % 7 {
                0..3 => self.ask_h1(&Asked::get(service, n), tally).await,
                3 => self.ask_h1(&Asked::post(service, n), tally).await,
                _ => self.ask_h2(n, &Asked::get(service, n), tally).await,
            }
        };
        let outcome = within(self.plan.limit, asking).await;
        tally.record(outcome, begin.elapsed());
    }

    fn is_repeated(&self, outcome: &Outcome, tally: &Tally) -> bool {
        let is_repeated = self.plan.repeats && matches!(outcome, Outcome::Broken(_));
        if is_repeated {
            tally.repeated();
        }
        is_repeated
    }

    async fn ask_h1(&self, asked: &Asked, tally: &Tally) -> Outcome {
        let idle = || self.idle_h1.lock().pop();
        let open = std::iter::from_fn(idle).find(|connection| !connection.is_closed());
        let mut connection = open;
        for is_last in [false, true] {
            let used = match connection.take() {
                Some(connection) => connection,
                None => match H1::open(self.address).await {
                    Ok(connection) => connection,
                    Err(error) => return broken(&error),
                },
            };
            let (outcome, still_open) = on_h1(used, asked).await;
            self.idle_h1.lock().extend(still_open);
            if is_last || !self.is_repeated(&outcome, tally) {
                return outcome;
            }
        }
        Outcome::Hung
    }

    async fn ask_h2(&self, n: u64, asked: &Asked, tally: &Tally) -> Outcome {
        let mut outcome = self.ask_h2_once(n, asked).await;
        if self.is_repeated(&outcome, tally) {
            outcome = self.ask_h2_once(n, asked).await;
        }
        outcome
    }

    async fn ask_h2_once(&self, n: u64, asked: &Asked) -> Outcome {
        let [first, second] = &self.h2;
        let slot = if n.is_multiple_of(2) { first } else { second };
        let mut open = slot.lock().await;
        let connection = match open.as_ref().filter(|connection| !connection.is_closed()) {
            Some(connection) => Arc::clone(connection),
            None => match H2::open(self.address).await {
                Ok(connection) => Arc::clone(open.insert(Arc::new(connection))),
                Err(error) => return broken(&error),
            },
        };
        drop(open);
        on_h2(&connection, asked).await
    }

    /// One socket after the other; each opening and each message is one that has to be answered.
    async fn converse(self: Arc<Self>, n: u64, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (service, tally) = self.target(n);
            let url = format!("ws://{}/ws", service.host());
            let begin = Instant::now();
            let opened = time::timeout(self.plan.limit, open_websocket(self.address, &url)).await;
            let mut socket = match opened {
                Ok(Ok(socket)) => socket,
                Ok(Err(error)) => {
                    tally.record(refused(&error), begin.elapsed());
                    time::sleep(MESSAGE_PAUSE).await;
                    continue;
                }
                Err(_late) => {
                    tally.record(Outcome::Hung, begin.elapsed());
                    continue;
                }
            };
            for message in 0..N_MESSAGES {
                let begin = Instant::now();
                let word = format!("{n}.{message}");
                let echo = socket.echo(&word, self.plan.limit);
                let outcome = echo.await.map_or_else(
                    |_how| Outcome::Broken("a WebSocket ended".to_owned()),
                    |()| Outcome::Right {
                        was_held: false,
                        delivery: None,
                    },
                );
                let is_over = stop.is_cancelled() || !matches!(outcome, Outcome::Right { .. });
                if !self.is_repeated(&outcome, tally) {
                    tally.record(outcome, begin.elapsed());
                }
                if is_over {
                    break;
                }
                time::sleep(MESSAGE_PAUSE).await;
            }
        }
    }
}
