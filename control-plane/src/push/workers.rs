//! Who is subscribed, and what each has applied.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use wakegate_wire::v1;

use super::{
    scope::Scope,
    standings::{PeerStandings, Standing, Standings},
};

/// The role of those that hold requests.
const FILTER: &str = "filter";

/// Bytes that are kept of the reason of a refusal.
const MAX_REASON: usize = 1_024;

/// All subscribers. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    state: Arc<Mutex<State>>,
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct State {
    proxies: BTreeMap<Subscriber, Proxy>,
    /// What follows from them, kept because it is asked for after each change.
    standings: Standings,
    peers: PeerStandings,
}

/// One subscriber, as `/debug/routes` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerReport {
    /// The Envoy process, or the scaler.
    pub proxy: String,
    /// The ordinal of the worker in its proxy.
    pub worker: u32,
    /// `filter` or `scaler`.
    pub role: &'static str,
    /// Its release.
    pub release: String,
    /// When it came.
    pub connected_at: Timestamp,
    /// The version that it has applied last.
    pub acked_version: Option<String>,
    /// When it did, or was seen to have.
    pub acked_at: Option<Timestamp>,
    /// What it refused since, and why.
    pub refused: Option<Refused>,
}

/// A version that a worker refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The version.
    pub version: String,
    /// The worker's reason.
    pub error: String,
    /// When.
    pub at: Timestamp,
}

/// Role and name: a scaler may be named as a proxy is.
type Subscriber = (&'static str, String);

#[derive(Debug)]
struct Proxy {
    /// By worker and connection, since a worker that reconnects may be there twice for a while.
    connections: BTreeMap<(u32, u64), Connection>,
    /// How many connections each worker has. Whoever likes may have thousands, so nothing counts them anew.
    n_connections: BTreeMap<u32, usize>,
    last_connection: u64,
    n_workers: watch::Sender<u32>,
}

#[derive(Debug)]
struct Connection {
    scope: Arc<Scope>,
    report: WorkerReport,
}

/// One connection's place among the workers; it is given up on drop.
#[derive(Debug)]
pub(super) struct Seat {
    workers: Workers,
    subscriber: Subscriber,
    worker: u32,
    connection: u64,
    n_workers: watch::Receiver<u32>,
}

impl Workers {
    /// All subscribers, by role, proxy and worker.
    pub fn reports(&self) -> Vec<WorkerReport> {
        let state = self.state.lock();
        let connections = state
            .proxies
            .values()
            .flat_map(|proxy| proxy.connections.values());
        connections
            .map(|connection| connection.report.clone())
            .collect()
    }

    /// Grows with whatever the standings follow from.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn generation(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Where the filter workers stand, those that are subscribed here.
    pub(crate) fn own(&self) -> Standings {
        self.state.lock().standings.clone()
    }

    /// Where all filter workers stand, those of other replicas as well.
    pub(super) fn standings(&self) -> Standings {
        let state = self.state.lock();
        let mut all = state.standings.clone();
        state.peers.add_to(&mut all);
        all
    }

    /// Changes something about the other replicas; `change` says whether anything is another now.
    pub(super) fn change_peers(&self, change: impl FnOnce(&mut PeerStandings) -> bool) {
        let is_new = change(&mut self.state.lock().peers);
        if is_new {
            self.tell();
        }
    }

    fn change(&self, subscriber: &Subscriber, worker: u32, change: impl FnOnce(&mut Proxy)) {
        let is_new = self.state.lock().change(subscriber, worker, change);
        if is_new {
            self.tell();
        }
    }

    fn tell(&self) {
        self.changes.send_modify(|n| *n += 1);
    }
}

impl State {
    /// Changes something about one worker, and what follows from it; whether it now stands elsewhere.
    fn change(
        &mut self,
        subscriber: &Subscriber,
        worker: u32,
        change: impl FnOnce(&mut Proxy),
    ) -> bool {
        let Self {
            proxies,
            standings,
            peers: _,
        } = self;
        let Some(proxy) = proxies.get_mut(subscriber) else {
            return false;
        };
        let before = proxy.standing(worker);
        change(proxy);
        let after = proxy.standing(worker);
        if proxy.connections.is_empty() {
            proxies.remove(subscriber);
        }
        if before == after || subscriber.0 != FILTER {
            return false;
        }
        if let Some((scope, standing)) = before {
            standings.remove_one(&scope, &standing);
        }
        if let Some((scope, standing)) = after {
            standings.add(&scope, standing, 1);
        }
        true
    }
}

impl Seat {
    pub(super) fn take(workers: &Workers, hello: &v1::Hello, scope: &Scope) -> Self {
        let role = match hello.role() {
            v1::Role::Filter => FILTER,
            v1::Role::Scaler => "scaler",
        };
        let subscriber = (role, hello.proxy.clone());
        let report = WorkerReport {
            proxy: hello.proxy.clone(),
            worker: hello.worker,
            role,
            release: hello.release.clone(),
            connected_at: Timestamp::now(),
            acked_version: None,
            acked_at: None,
            refused: None,
        };
        let scope = Arc::new(scope.clone());
        let mut state = workers.state.lock();
        let proxy = state.proxies.entry(subscriber.clone());
        let proxy = proxy.or_insert_with(Proxy::new);
        proxy.last_connection += 1;
        let connection = proxy.last_connection;
        let mut n_workers = proxy.n_workers.subscribe();
        state.change(&subscriber, hello.worker, |proxy| {
            proxy.connect(hello.worker, connection, Connection { scope, report });
        });
        n_workers.mark_unchanged();
        drop(state);
        workers.tell();
        let (proxy, worker) = (&hello.proxy, hello.worker);
        tracing::debug!(
            proxy,
            worker,
            role,
            release = hello.release,
            "subscriber came"
        );
        Self {
            workers: workers.clone(),
            subscriber,
            worker,
            connection,
            n_workers,
        }
    }

    pub(super) fn role(&self) -> &'static str {
        self.subscriber.0
    }

    pub(super) fn proxy(&self) -> &str {
        &self.subscriber.1
    }

    pub(super) fn worker(&self) -> u32 {
        self.worker
    }

    pub(super) fn n_workers(&mut self) -> u32 {
        *self.n_workers.borrow_and_update()
    }

    /// Waits until the number of workers of this proxy is another.
    ///
    /// # Cancel safety
    /// Nothing is lost: the number counts as seen only when it is read.
    pub(super) async fn workers_changed(&mut self) {
        // The sender lives as long as this seat.
        if self.n_workers.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn applied(&self, version: String) {
        self.update(|report| {
            if report.acked_version.as_ref() == Some(&version) && report.refused.is_none() {
                return;
            }
            report.acked_version = Some(version);
            report.acked_at = Some(Timestamp::now());
            report.refused = None;
        });
    }

    pub(super) fn refused(&self, version: String, mut error: String) {
        error.truncate(error.floor_char_boundary(MAX_REASON));
        let at = Timestamp::now();
        self.update(|report| report.refused = Some(Refused { version, error, at }));
    }

    fn update(&self, change: impl FnOnce(&mut WorkerReport)) {
        let workers = &self.workers;
        workers.change(&self.subscriber, self.worker, |proxy| {
            let at = (self.worker, self.connection);
            if let Some(connection) = proxy.connections.get_mut(&at) {
                change(&mut connection.report);
            }
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        tracing::debug!(
            proxy = self.proxy(),
            worker = self.worker,
            "subscriber is gone"
        );
        let workers = &self.workers;
        workers.change(&self.subscriber, self.worker, |proxy| {
            proxy.disconnect(self.worker, self.connection);
        });
    }
}

impl Proxy {
    fn new() -> Self {
        Self {
            connections: BTreeMap::new(),
            n_connections: BTreeMap::new(),
            last_connection: 0,
            n_workers: watch::Sender::new(0),
        }
    }

    fn connect(&mut self, worker: u32, number: u64, connection: Connection) {
        self.connections.insert((worker, number), connection);
        *self.n_connections.entry(worker).or_default() += 1;
        self.count();
    }

    fn disconnect(&mut self, worker: u32, number: u64) {
        self.connections.remove(&(worker, number));
        if let Some(n_connections) = self.n_connections.get_mut(&worker) {
            *n_connections -= 1;
            if *n_connections == 0 {
                self.n_connections.remove(&worker);
            }
        }
        self.count();
    }

    /// Where one worker stands, by the newest of its connections: the older are on their way out.
    fn standing(&self, worker: u32) -> Option<(Arc<Scope>, Standing)> {
        let mut of_worker = self.connections.range((worker, 0)..=(worker, u64::MAX));
        let (_, Connection { scope, report }) = of_worker.next_back()?;
        let refused = report.refused.as_ref().map(|refused| &refused.version);
        let acked = report.acked_version.as_ref();
        let standing = acked.filter(|acked| Some(*acked) != refused).cloned();
        Some((Arc::clone(scope), standing))
    }

    fn count(&self) {
        let n_workers = u32::try_from(self.n_connections.len()).unwrap_or(u32::MAX);
        self.n_workers
            .send_if_modified(|now| std::mem::replace(now, n_workers) != n_workers);
    }
}
