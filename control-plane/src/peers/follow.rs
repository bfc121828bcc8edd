//! The side of the one that follows.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use wakegate_runtime::tls::{Role, Transport};
use wakegate_wire::v1::{Standings, peers_client::PeersClient};

use super::{HEARTBEAT, SILENCE};
use crate::{
    backoff::{Backoff, jittered},
    push::Workers,
};

/// What workers do within so long goes into one message: a new table is acked by all of them at once.
const GATHER: Duration = Duration::from_millis(20);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Tells whoever leads, while another replica does.
#[derive(Debug)]
pub struct Follower {
    name: String,
    workers: Workers,
    /// Where the replica is that leads; none while nobody does, or this one.
    leader: watch::Receiver<Option<String>>,
    /// How it is spoken to; none while this replica has no certificate yet.
    transport: watch::Receiver<Option<Transport>>,
}

impl Follower {
    /// The replica `name`, with its workers.
    pub fn new(
        name: String,
        workers: Workers,
        leader: watch::Receiver<Option<String>>,
        transport: watch::Receiver<Option<Transport>>,
    ) -> Self {
        Self {
            name,
            workers,
            leader,
            transport,
        }
    }

    /// Tells until the shutdown.
    ///
    /// # Errors
    /// None so far: what fails is tried again.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        shutdown.run_until_cancelled(self.follow()).await;
        Ok(())
    }

    async fn follow(mut self) {
        let mut backoff = Backoff::default();
        let first = self.transport.wait_for(Option::is_some).await;
        let Some(transport) = first.ok().and_then(|first| first.clone()) else {
            return std::future::pending().await;
        };
        loop {
            let found = self.leader.wait_for(Option::is_some).await;
            let Some(address) = found.ok().and_then(|found| found.clone()) else {
                // Nobody looks for a leader any more.
                return std::future::pending().await;
            };
            let error = tokio::select! {
                outcome = session(&transport, &address, &self.name, &self.workers) => outcome.err(),
                Ok(()) = self.leader.changed() => {
                    backoff.reset();
                    continue;
                }
            };
            let error = error.map(|error| format!("{error:#}"));
            let pause = jittered(backoff.next(Instant::now(), LONGEST_PAUSE));
            tracing::warn!(
                address,
                error,
                ?pause,
                "the leader does not hear this replica"
            );
            sleep(pause).await;
        }
    }
}

/// One stream, to its end.
async fn session(
    transport: &Transport,
    address: &str,
    name: &str,
    workers: &Workers,
) -> anyhow::Result<()> {
    let scheme = transport.scheme();
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).context("its address")?;
    let endpoint = endpoint
        .connect_timeout(SILENCE)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(HEARTBEAT)
        .keep_alive_timeout(SILENCE)
        .keep_alive_while_idle(true);
    let channel = timeout(SILENCE, transport.connect(endpoint, Role::ControlPlane)).await;
    let channel = channel.context("no answer")?.context("connect")?;
    tracing::info!(address, "telling the leader how far the filters are");
    let standings = standings(name.to_owned(), workers.clone());
    PeersClient::new(channel).share(standings).await?;
    bail!("the leader ended the stream")
}

/// The whole, at once, whenever it changes, and as a heartbeat.
fn standings(name: String, workers: Workers) -> impl Stream<Item = Standings> + Send {
    let changes = workers.changed();
    let first = (changes, true);
    stream::unfold(first, move |(mut changes, is_first)| {
        let (name, workers) = (name.clone(), workers.clone());
        async move {
            if !is_first {
                // The sender is in `workers`.
                let is_heartbeat = timeout(HEARTBEAT, changes.changed()).await.is_err();
                if !is_heartbeat {
                    sleep(GATHER).await;
                }
            }
            changes.mark_unchanged();
            Some((workers.own().message(name), (changes, false)))
        }
    })
}
