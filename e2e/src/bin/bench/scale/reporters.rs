//! Workers that report to the scaler as filters do: once in a second what changed, one report under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{self, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;
use wakegate_e2e::stats::Times;
use wakegate_wire::v1::demand_client::DemandClient;
use wakegate_wire::v1::{Instance, KeyReport, ReportRequest, ReportResponse};

/// Workers of one proxy.
const PER_PROXY: usize = 4;
/// Between two reports of one worker.
const TICK: Duration = Duration::from_secs(1);
/// All workers have come after so long; a whole number of ticks, so that theirs are spread over the second.
const COMING: Duration = Duration::from_secs(10);
/// Requests of one key in one worker that start and end between two reports.
const PER_TICK: u64 = 5;

/// What all workers' tables have.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) keys: Vec<String>,
    /// The sum of their digests, as the protocol wants it.
    pub(super) digest: u64,
}

/// Workers that report, until this is dropped.
#[derive(Debug)]
pub(super) struct Reporters {
    tasks: JoinSet<Result<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    known: Arc<Known>,
    /// Keys that each report names.
    n_named: usize,
    n_reporting: AtomicUsize,
    is_measured: AtomicBool,
    acked_after_ms: Mutex<Vec<f64>>,
}

/// One worker's stream.
#[derive(Debug)]
pub(super) struct Reporter {
    known: Arc<Known>,
    say: mpsc::Sender<ReportRequest>,
    acks: Streaming<ReportResponse>,
    began: u64,
    sequence: u64,
    wants_keys: bool,
    instance: Instance,
}

impl Reporters {
    /// Starts so many workers, one after the other, that report to one of `addresses` in turns. Each has requests for `n_named` of the keys all the time.
    pub(super) fn start(
        addresses: &[SocketAddr],
        n_workers: usize,
        known: &Arc<Known>,
        n_named: usize,
    ) -> Self {
        let shared = Arc::new(Shared {
            known: Arc::clone(known),
            n_named,
            n_reporting: AtomicUsize::new(0),
            is_measured: AtomicBool::new(false),
            acked_after_ms: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for (index, address) in (0..n_workers).zip(addresses.iter().copied().cycle()) {
            let wait = COMING * u32::try_from(index).unwrap_or_default()
                / u32::try_from(n_workers).unwrap_or(1).max(1);
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { report(address, index, wait, &shared).await });
        }
        Self { tasks, shared }
    }

    /// Workers whose first report was acked.
    pub(super) fn n_reporting(&self) -> usize {
        self.shared.n_reporting.load(Ordering::Relaxed)
    }

    /// From now on times are kept.
    pub(super) fn measure(&self) {
        self.shared.is_measured.store(true, Ordering::Relaxed);
    }

    /// From report to ack, in the time that was measured.
    pub(super) fn acked_after(&self) -> Times {
        Times::of(self.shared.acked_after_ms.lock().clone())
    }

    /// An error when one has ended.
    pub(super) fn are_well(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            Some(ended) => ended.context("a worker ended")?,
            None => Ok(()),
        }
    }
}

async fn report(address: SocketAddr, index: usize, wait: Duration, shared: &Shared) -> Result<()> {
    time::sleep(wait).await;
    let keys = named(&shared.known.keys, index * shared.n_named, shared.n_named);
    let mut worker = Reporter::open(address, index, Arc::clone(&shared.known)).await?;
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut n_ticks = 0;
    loop {
        ticks.tick().await;
        n_ticks += 1;
        let sent = Instant::now();
        worker
            .report(keys.iter().map(|key| counts(key, n_ticks)))
            .await?;
        if n_ticks == 1 {
            shared.n_reporting.fetch_add(1, Ordering::Relaxed);
        }
        if shared.is_measured.load(Ordering::Relaxed) {
            let took = sent.elapsed().as_secs_f64() * 1e3;
            shared.acked_after_ms.lock().push(took);
        }
    }
}

/// So many keys from some place on, as on a ring.
fn named(keys: &[String], from: usize, n_named: usize) -> Vec<String> {
    let ring = keys.iter().cycle().skip(from % keys.len().max(1));
    ring.take(n_named).cloned().collect()
}

/// Requests come and go, and one is always under way.
fn counts(key: &str, n_ticks: u64) -> KeyReport {
    KeyReport {
        key: key.to_owned(),
        held: 0,
        running: 1,
        started: n_ticks * PER_TICK + 1,
        ended: n_ticks * PER_TICK,
        shed: 0,
        integral_ms: n_ticks * 1_000,
    }
}

impl Reporter {
    /// A stream of worker `index`, with a connection of its own.
    pub(super) async fn open(address: SocketAddr, index: usize, known: Arc<Known>) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?
            .connect()
            .await
            .context("connect to the scaler")?;
        let (say, requests) = mpsc::channel(2);
        let mut client = DemandClient::new(channel);
        let acks = client.report(ReceiverStream::new(requests));
        let began = now_ms();
        let instance = Instance {
            proxy: format!("edge-{}", index / PER_PROXY),
            worker: u32::try_from(index % PER_PROXY).unwrap_or_default(),
            boot_id: began,
            release: "bench".to_owned(),
            protocol: 1,
        };
        Ok(Self {
            known,
            say,
            acks: acks.await.context("open a stream")?.into_inner(),
            began,
            sequence: 0,
            wants_keys: false,
            instance,
        })
    }

    /// Sends a report and waits for its ack.
    pub(super) async fn report(&mut self, keys: impl IntoIterator<Item = KeyReport>) -> Result<()> {
        let is_first = self.sequence == 0;
        self.sequence += 1;
        let known_keys = std::mem::take(&mut self.wants_keys).then(|| self.known.keys.clone());
        let request = ReportRequest {
            instance: is_first.then(|| self.instance.clone()),
            sequence: self.sequence,
            keys: keys.into_iter().collect(),
            known_digest: self.known.digest,
            known_keys: known_keys.unwrap_or_default(),
            now_ms: now_ms().max(self.began),
            full: is_first,
        };
        self.say.send(request).await.context("send a report")?;
        loop {
            let Some(ack) = self.acks.message().await.context("an ack")? else {
                bail!("the scaler ended a stream");
            };
            self.wants_keys |= ack.wants_keys;
            // Heartbeats repeat the last number.
            if ack.acked >= self.sequence {
                return Ok(());
            }
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}
