//! Replicas of the scaler tell each other what they hear, so that each answers KEDA from the whole.
//!
//! Each opens one stream to each other one that discovery names, and is told its whole ledger and then what its own
//! workers say. Nobody relays what was relayed, so nothing goes round.

mod follow;
mod serve;
mod subscription;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::lookup_host,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wakegate_core::PeerId;
use wakegate_runtime::{Latch, Tasks, Transport};
use wakegate_wire::v1::Replica;

use self::follow::Follow;
use crate::state::State;

pub(crate) use self::serve::LedgersServer;
pub(crate) use self::subscription::Subscription;

/// A replica says something at least so often.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Other replicas, at most: each keeps a whole ledger up to date, and sends all that its workers say to each.
pub(crate) const MAX_PEERS: usize = 16;

/// How often names are looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

/// How often, until the first answer.
const FIRST_LOOK_UP: Duration = Duration::from_millis(500);

/// How long workers wait at most for a new replica to be told what the others know.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks whether it was told.
const PAUSE: Duration = Duration::from_millis(10);

/// The version of `Ledgers` that this speaks.
const PROTOCOL: u32 = 1;

/// Finds the other replicas, and follows each.
#[derive(Debug)]
pub(crate) struct Replicas {
    names: Vec<Name>,
    followed: BTreeMap<SocketAddr, Followed>,
    /// Stands for those that are more than can be followed.
    beyond: Option<PeerId>,
    own: Replica,
    transport: Transport,
    state: Arc<State>,
    tasks: Tasks,
}

/// A name of one replica or of all.
#[derive(Debug)]
struct Name {
    text: String,
    addresses: BTreeSet<SocketAddr>,
    /// Stands for whoever has the name, until it was found once.
    unknown: Option<PeerId>,
}

/// A replica that is followed until this is dropped.
#[derive(Debug)]
struct Followed {
    peer: PeerId,
    stop: CancellationToken,
}

/// What this replica calls itself; without a name in this life's number, it would not know itself.
pub(crate) fn own(name: &str) -> Replica {
    Replica {
        name: name.to_owned(),
        id: rand::random(),
        protocol: PROTOCOL,
    }
}

impl Replicas {
    /// The replicas that have these names, each `HOST:PORT`.
    pub(crate) fn new(
        names: Vec<String>,
        own: Replica,
        transport: Transport,
        state: Arc<State>,
        tasks: Tasks,
    ) -> Self {
        let unknown = |text: String| Name {
            unknown: Some(state.add_peer(&text)),
            addresses: BTreeSet::new(),
            text,
        };
        Self {
            names: names.into_iter().map(unknown).collect(),
            followed: BTreeMap::new(),
            beyond: None,
            own,
            transport,
            state,
            tasks,
        }
    }

    /// Follows until the shutdown. The latch is released when what the others know is here.
    pub(crate) async fn run(mut self, latch: Latch, stop: CancellationToken) -> anyhow::Result<()> {
        let state = Arc::clone(&self.state);
        let complete = async {
            while !state.is_complete() {
                sleep(PAUSE).await;
            }
        };
        let synced = async {
            if timeout(PATIENCE, complete).await.is_err() {
                tracing::warn!(limit = ?PATIENCE, "not all other replicas are heard");
            }
            latch.release();
            state.synced().cancel();
        };
        let both = async { tokio::join!(self.discover(), synced) };
        stop.run_until_cancelled(both).await;
        Ok(())
    }

    async fn discover(&mut self) {
        loop {
            for name in &mut self.names {
                name.look_up().await;
            }
            self.follow();
            let found = self
                .names
                .iter_mut()
                .filter(|name| !name.addresses.is_empty());
            for unknown in found.filter_map(|name| name.unknown.take()) {
                self.state.remove_peer(unknown);
            }
            let is_unknown = self.names.iter().any(|name| name.unknown.is_some());
            let pause = if is_unknown { FIRST_LOOK_UP } else { LOOK_UP };
            sleep(pause).await;
        }
    }

    /// Follows who is named, and nobody else.
    fn follow(&mut self) {
        let addresses = self.names.iter().flat_map(|name| &name.addresses);
        let mut named: BTreeSet<SocketAddr> = addresses.copied().collect();
        self.limit(&mut named);
        self.followed.retain(|address, followed| {
            let is_named = named.contains(address);
            if !is_named {
                tracing::info!(%address, "replica is not named any more");
                self.state.remove_peer(followed.peer);
            }
            is_named
        });
        for address in named {
            if self.followed.contains_key(&address) {
                continue;
            }
            let peer = self.state.add_peer(&address.to_string());
            let stop = self.tasks.shutdown_token().child_token();
            let state = Arc::clone(&self.state);
            let follow = Follow::new(
                (address, peer),
                self.own.clone(),
                self.transport.clone(),
                state,
            );
            let until = stop.clone();
            self.tasks.spawn_short("follow", async move {
                until.run_until_cancelled(follow.run()).await;
            });
            self.followed.insert(address, Followed { peer, stop });
        }
    }

    /// Keeps as many as may be. That there are more is no reason to forget them.
    fn limit(&mut self, named: &mut BTreeSet<SocketAddr>) {
        let too_many = named.len() > MAX_PEERS + 1;
        // Those that are followed stay: whoever comes last is too much.
        while named.len() > MAX_PEERS + 1 {
            let new = named.iter().rev();
            let last = new
                .clone()
                .find(|address| !self.followed.contains_key(address));
            let Some(last) = last.or(named.last()).copied() else {
                break;
            };
            named.remove(&last);
        }
        if too_many && self.beyond.is_none() {
            tracing::error!(
                limit = MAX_PEERS,
                "more replicas are named than can be followed"
            );
            self.beyond = Some(self.state.add_peer("beyond the limit"));
        } else if !too_many && let Some(beyond) = self.beyond.take() {
            self.state.remove_peer(beyond);
        }
    }
}

impl Name {
    async fn look_up(&mut self) {
        let found = timeout(LOOK_UP, lookup_host(self.text.as_str())).await;
        let found = found.map_err(anyhow::Error::from);
        match found.and_then(|found| Ok(found?)) {
            Ok(addresses) => self.addresses = addresses.collect(),
            // A name server that is away has moved nobody.
            Err(error) => tracing::debug!(name = self.text, %error, "replicas not looked up"),
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
