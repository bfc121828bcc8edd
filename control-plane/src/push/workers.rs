//! Who is subscribed, and what each has applied.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use wakegate_wire::v1;

/// Bytes that are kept of the reason of a refusal.
const MAX_REASON: usize = 1_024;

/// All subscribers. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    proxies: Arc<Mutex<BTreeMap<Subscriber, Proxy>>>,
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
    /// By connection, since a worker that reconnects may be there twice for a while.
    connections: BTreeMap<u64, WorkerReport>,
    last_connection: u64,
    n_workers: watch::Sender<u32>,
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
        let proxies = self.proxies.lock();
        proxies
            .values()
            .flat_map(|proxy| proxy.connections.values().cloned())
            .collect()
    }
}

impl Seat {
    pub(super) fn take(workers: &Workers, hello: &v1::Hello) -> Self {
        let role = match hello.role() {
            v1::Role::Filter => "filter",
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
        let mut proxies = workers.proxies.lock();
        let proxy = proxies.entry(subscriber.clone()).or_insert_with(Proxy::new);
        proxy.last_connection += 1;
        let connection = proxy.last_connection;
        proxy.connections.insert(connection, report);
        proxy.count();
        let mut n_workers = proxy.n_workers.subscribe();
        n_workers.mark_unchanged();
        drop(proxies);
        let (proxy, worker) = (&hello.proxy, hello.worker);
        tracing::info!(
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
        let mut proxies = self.workers.proxies.lock();
        let proxy = proxies.get_mut(&self.subscriber);
        if let Some(report) = proxy.and_then(|proxy| proxy.connections.get_mut(&self.connection)) {
            change(report);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        tracing::info!(
            proxy = self.proxy(),
            worker = self.worker,
            "subscriber is gone"
        );
        let mut proxies = self.workers.proxies.lock();
        let Some(proxy) = proxies.get_mut(&self.subscriber) else {
            return;
        };
        proxy.connections.remove(&self.connection);
        proxy.count();
        if proxy.connections.is_empty() {
            proxies.remove(&self.subscriber);
        }
    }
}

impl Proxy {
    fn new() -> Self {
        let (connections, last_connection) = (BTreeMap::new(), 0);
        Self {
            connections,
            last_connection,
            n_workers: watch::Sender::new(0),
        }
    }

    fn count(&self) {
        let workers: BTreeSet<u32> = self
            .connections
            .values()
            .map(|report| report.worker)
            .collect();
        let n_workers = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        self.n_workers
            .send_if_modified(|now| std::mem::replace(now, n_workers) != n_workers);
    }
}
