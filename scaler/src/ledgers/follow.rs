//! The side of the one that is told.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use wakegate_core::{PeerId, PeerLoss};
use wakegate_runtime::{Role, Transport};
use wakegate_wire::{
    Message as _, Pages, Tables, decode_relayed,
    v1::{FollowRequest, FollowResponse, Relayed, Replica, ledgers_client::LedgersClient},
};

use super::HEARTBEAT;
use crate::{backoff, state::State};

/// A replica that says nothing for so long is given up.
const SILENCE: Duration = HEARTBEAT.saturating_mul(4);

/// The pause after the first failure; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: a replica that is back is found within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Messages have some 200 KiB; one report may have 4 MiB, as from a worker.
const MAX_MESSAGE_BYTES: usize = 5 << 20;

/// What may be under way: more than HTTP/2's 64 KiB, so that a whole ledger does not wait for each of them.
const WINDOW: u32 = 1 << 20;

/// Follows one address.
#[derive(Debug)]
pub(super) struct Follow {
    address: SocketAddr,
    peer: PeerId,
    own: Replica,
    transport: Transport,
    state: Arc<State>,
    n_failures: u32,
}

/// How a stream ended that did not break.
enum End {
    /// The replica ends.
    Drained,
    /// It is this one.
    Own,
}

/// One stream.
struct Session<'a> {
    follow: &'a Follow,
    pages: Pages,
    tables: Tables,
    /// The whole ledger came.
    is_whole: bool,
}

impl Follow {
    pub(super) fn new(
        (address, peer): (SocketAddr, PeerId),
        own: Replica,
        transport: Transport,
        state: Arc<State>,
    ) -> Self {
        Self {
            address,
            peer,
            own,
            transport,
            state,
            n_failures: 0,
        }
    }

    /// Follows, until the address turns out to be this replica's own.
    pub(super) async fn run(mut self) {
        loop {
            let (loss, error) = match self.session().await {
                Ok(End::Own) => {
                    tracing::debug!(address = %self.address, "this replica itself");
                    self.state.remove_peer(self.peer);
                    return;
                }
                Ok(End::Drained) => (PeerLoss::Gone, "it ends".to_owned()),
                Err(error) if is_refused(&error) => (PeerLoss::Gone, format!("{error:#}")),
                Err(error) => (PeerLoss::Cut, format!("{error:#}")),
            };
            self.state.lose_peer(self.peer, loss);
            if let Some(left_out) = self.state.metrics.refusals.line_due("peer") {
                let address = self.address;
                tracing::warn!(%address, ?loss, error, left_out, "replica not heard");
            }
            sleep(self.pause()).await;
        }
    }

    async fn session(&mut self) -> anyhow::Result<End> {
        let channel = self.connect().await?;
        let mut client = LedgersClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = FollowRequest {
            replica: Some(self.own.clone()),
        };
        let messages = timeout(SILENCE, client.follow(request)).await;
        let mut messages = messages.context("no answer")??.into_inner();
        let mut session = Session {
            follow: self,
            pages: Pages::default(),
            tables: Tables::default(),
            is_whole: false,
        };
        let first = timeout(SILENCE, messages.message()).await;
        let first = first.context("silence")??.unwrap_or_default();
        let replica = first
            .replica
            .context("the first message names no replica")?;
        if replica.id == session.follow.own.id {
            return Ok(End::Own);
        }
        loop {
            let message = timeout(SILENCE, messages.message()).await;
            let Some(message) = message.context("silence")?? else {
                return Ok(End::Drained);
            };
            session.follow.state.metrics.taken(message.encoded_len());
            let was_whole = session.is_whole;
            session.take(message)?;
            if session.is_whole && !was_whole {
                let address = session.follow.address;
                tracing::info!(%address, replica = replica.name, "replica heard");
            }
        }
    }

    async fn connect(&self) -> anyhow::Result<Channel> {
        let endpoint =
            Endpoint::from_shared(format!("{}://{}", self.transport.scheme(), self.address))?
                .connect_timeout(SILENCE)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(2 * WINDOW)
                .tcp_nodelay(true);
        let channel = timeout(SILENCE, self.transport.connect(endpoint, Role::Scaler)).await;
        Ok(channel.context("no connection")??)
    }

    /// How long to wait before the next try.
    fn pause(&mut self) -> Duration {
        let pause = backoff::pause(self.n_failures, FIRST_PAUSE, LONGEST_PAUSE);
        self.n_failures = self.n_failures.saturating_add(1);
        pause
    }
}

impl Session<'_> {
    fn take(&mut self, message: FollowResponse) -> anyhow::Result<()> {
        let (state, peer) = (&self.follow.state, self.follow.peer);
        let FollowResponse {
            replica: _,
            relayed,
            pages,
            tables,
            whole,
        } = message;
        if !relayed.is_empty() {
            let reports = relayed.into_iter().map(|Relayed { report, age_ms }| {
                let (instance, report) = decode_relayed(report)?;
                Ok((Duration::from_millis(age_ms), instance, report))
            });
            let reports = reports.collect::<anyhow::Result<_>>()?;
            state.relayed(peer, reports).context("a relayed report")?;
        }
        if !(pages.is_empty() && tables.is_empty() && whole.is_none()) {
            ensure!(!self.is_whole, "more of what was whole");
        }
        for part in pages {
            if let Some(page) = self.pages.push(part)? {
                state.import(peer, page).context("a page")?;
            }
        }
        for part in &tables {
            if let Some(keys) = self.tables.push(part)? {
                state.import_table(&keys).context("a table")?;
            }
        }
        if let Some(whole) = whole {
            if self.pages.is_begun() || self.tables.is_begun() {
                bail!("the whole ends in the middle");
            }
            state.adopt(peer, whole);
            self.is_whole = true;
        } else if self.is_whole {
            state.hear_peer(peer);
        }
        Ok(())
    }
}

/// Whether nobody listens at the address.
fn is_refused(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
    })
}
