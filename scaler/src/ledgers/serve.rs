//! The side of the one that tells.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use wakegate_runtime::{Clients, Peer, Role};
use wakegate_wire::{
    Bytes, Message as _, encode_page, encode_table,
    v1::{FollowRequest, FollowResponse, Page, Relayed, Replica, TableKeys, ledgers_server},
};

use super::{HEARTBEAT, Subscription, subscription::Due};
use crate::{metrics::OpenStream, state::State};

/// A message is sent when it has so many bytes; the last part of it may have as many again. gRPC's limit is 4 MiB.
const MESSAGE_BYTES: usize = 128 << 10;

/// Serves `wakegate.v1.Ledgers`.
#[derive(Debug)]
pub(crate) struct LedgersServer {
    own: Replica,
    state: Arc<State>,
    clients: Clients,
    drain: CancellationToken,
}

type Responses = Pin<Box<dyn Stream<Item = Result<FollowResponse, Status>> + Send>>;

/// One stream to a replica that follows.
struct Telling {
    state: Arc<State>,
    drain: CancellationToken,
    subscription: Arc<Subscription>,
    own: Option<Replica>,
    opening: Opening,
    /// Reports that did not fit into the last message.
    reports: VecDeque<(Duration, Bytes)>,
    heartbeat: Interval,
    is_over: bool,
    _open: OpenStream,
}

/// What is left of the whole.
struct Opening {
    workers: Vec<u32>,
    pages: VecDeque<Page>,
    tables: Option<VecDeque<TableKeys>>,
    is_told: bool,
}

impl LedgersServer {
    pub(crate) fn new(
        own: Replica,
        state: Arc<State>,
        clients: Clients,
        drain: CancellationToken,
    ) -> Self {
        Self {
            own,
            state,
            clients,
            drain,
        }
    }
}

#[tonic::async_trait]
impl ledgers_server::Ledgers for LedgersServer {
    type FollowStream = Responses;

    async fn follow(&self, request: Request<FollowRequest>) -> Result<Response<Responses>, Status> {
        let peer = Peer::of(&request);
        peer.require(Role::Scaler)?;
        let place = self.clients.admit(peer.address());
        let place = place.map_err(|full| self.state.metrics.refusals.no_place(full))?;
        let follower = request.into_inner().replica.unwrap_or_default();
        tracing::info!(replica = follower.name, "replica follows");
        let (subscription, workers) = self.state.follow();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let telling = Telling {
            state: Arc::clone(&self.state),
            drain: self.drain.clone(),
            subscription,
            own: Some(self.own.clone()),
            opening: Opening {
                workers,
                pages: VecDeque::new(),
                tables: None,
                is_told: false,
            },
            reports: VecDeque::new(),
            heartbeat,
            is_over: false,
            _open: self.state.metrics.stream("Follow"),
        };
        let messages = stream::unfold(telling, Telling::next);
        Ok(Response::new(Box::pin(self.clients.guard(place, messages))))
    }
}

impl Telling {
    /// The next message; none when the stream ends with OK.
    async fn next(mut self) -> Option<(Result<FollowResponse, Status>, Self)> {
        if self.is_over {
            return None;
        }
        let message = if let Some(own) = self.own.take() {
            FollowResponse {
                replica: Some(own),
                ..FollowResponse::default()
            }
        } else {
            match self.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return None,
                Err(status) => {
                    self.is_over = true;
                    self.state.metrics.refusals.refuse("unread", "", &status);
                    return Some((Err(status), self));
                }
            }
        };
        self.state.metrics.sent(message.encoded_len());
        Some((Ok(message), self))
    }

    async fn message(&mut self) -> Result<Option<FollowResponse>, Status> {
        loop {
            // What the worker of a page said since comes after all parts of it.
            let has_room = self.opening.pages.is_empty();
            let is_opening = !self.opening.is_told;
            let is_drained = self.drain.is_cancelled();
            let mut wait = None;
            if has_room && self.reports.is_empty() {
                let now = self.state.now();
                match self.subscription.due(now, is_opening || is_drained) {
                    Due::Nothing => {}
                    Due::After(time) => wait = Some(time),
                    Due::Now(reports) => self.reports = reports.into(),
                    Due::Cut => {
                        return Err(Status::resource_exhausted("the replica does not read"));
                    }
                }
            }
            let mut message = FollowResponse::default();
            if has_room {
                message.relayed = self.take_reports();
            }
            let has_reports = !message.relayed.is_empty();
            if is_drained {
                return Ok(has_reports.then_some(message));
            }
            if is_opening && self.reports.is_empty() {
                self.opening
                    .fill(&self.state, &self.subscription, &mut message);
            }
            if has_reports || is_opening {
                self.heartbeat.reset();
                return Ok(Some(message));
            }
            let drain = self.drain.clone();
            tokio::select! {
                () = drain.cancelled() => {}
                () = self.subscription.news() => {}
                () = sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {}
                _ = self.heartbeat.tick() => return Ok(Some(message)),
            }
        }
    }

    fn take_reports(&mut self) -> Vec<Relayed> {
        let now = self.state.now();
        let (mut reports, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < MESSAGE_BYTES
            && let Some((came, report)) = self.reports.pop_front()
        {
            n_bytes += report.len();
            let age = now.saturating_sub(came).as_millis();
            reports.push(Relayed {
                report,
                age_ms: u64::try_from(age).unwrap_or(u64::MAX),
            });
        }
        reports
    }
}

impl Opening {
    /// Adds parts to a message until it is long enough; the last has the whole's numbers.
    fn fill(&mut self, state: &State, subscription: &Subscription, message: &mut FollowResponse) {
        let mut n_bytes = 0;
        while n_bytes < MESSAGE_BYTES {
            if let Some(part) = self.pages.pop_front() {
                n_bytes += part.encoded_len();
                message.pages.push(part);
            } else if let Some(worker) = self.workers.pop() {
                let page = state.page(subscription, worker);
                self.pages = page.map(encode_page).unwrap_or_default().into();
            } else {
                // Tables come last: one that no worker has would be forgotten before its workers are here.
                let tables = self.tables.get_or_insert_with(|| {
                    let tables = state.tables();
                    let parts = tables.iter().map(|table| encode_table(table.iter()));
                    parts.flatten().collect()
                });
                let Some(part) = tables.pop_front() else {
                    message.whole = Some(state.whole());
                    self.tables = None;
                    self.is_told = true;
                    return;
                };
                n_bytes += part.encoded_len();
                message.tables.push(part);
            }
        }
    }
}
