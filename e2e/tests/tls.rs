//! Mutual TLS on every connection: it works, its certificates change under way, and nobody else gets in.

mod envoys_that_are_refused;
mod roles;
mod rotation;
mod wakes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use tokio::time;
use wakegate_e2e::client::{H1, get, read};
use wakegate_e2e::{App, Background, Daemon, Service, Stack, eventually};

const SOON: Duration = Duration::from_secs(20);
/// Daemons look at their files every two seconds, on a busy machine.
const RELOADED: Duration = Duration::from_secs(20);
/// Without the HTTP library's frames.
const LOGGED: &str = "trace,h2=info,hyper=info,hyper_util=info,tower=info,tonic=debug";
/// Between two requests of steady traffic.
const APART: Duration = Duration::from_millis(20);

/// Requests to a backend that is up, one after the other, each of which has to be answered by it.
#[derive(Debug)]
struct Steady {
    n_answered: Arc<AtomicU64>,
    failure: Arc<Mutex<Option<String>>>,
    _task: Background,
}

impl Steady {
    /// Starts them.
    fn start(stack: &Stack, service: &Service) -> Result<Self> {
        let (address, url) = (stack.address()?, service.url("/"));
        let n_answered = Arc::new(AtomicU64::new(0));
        let failure = Arc::new(Mutex::new(None));
        let (counter, failed) = (Arc::clone(&n_answered), Arc::clone(&failure));
        let ask = async move || {
            let mut client = H1::open(address).await?;
            loop {
                let answer = read(client.send(get(&url)?).await?).await?;
                ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
                let cold = answer.header("x-wakegate-cold-start");
                ensure!(cold.is_empty(), "one was held");
                counter.fetch_add(1, Ordering::Relaxed);
                time::sleep(APART).await;
            }
        };
        let task = Background::start(async move {
            let ended: Result<()> = ask().await;
            *failed.lock() = ended.err().map(|error| format!("{error:#}"));
        });
        Ok(Self {
            n_answered,
            failure,
            _task: task,
        })
    }

    /// All were answered until now, and some more come.
    async fn is_well(&self) -> Result<()> {
        let before = self.n_answered.load(Ordering::Relaxed);
        let goes_on = async || {
            let failure = self.failure.lock().clone();
            let now = self.n_answered.load(Ordering::Relaxed);
            let failed = failure.map(Err);
            failed.or_else(|| (now > before + 10).then_some(Ok(())))
        };
        let ended = eventually(SOON, "steady traffic goes on", goes_on).await?;
        ended.map_err(anyhow::Error::msg)
    }
}

/// A stack with TLS: `warm` is up, `cold` sleeps.
async fn stack_with_traffic(warm: &Service, cold: &Service) -> Result<(Stack, App, Steady)> {
    let builder = Stack::builder().serve(warm.clone()).serve(cold.clone());
    // What is said where much is said has no key in it either.
    let builder = builder.environment(vec![("WAKEGATE_LOG_FILTER", LOGGED.into())]);
    let stack = builder.tls().start().await?;
    let app = stack.wake(warm).await?;
    let is_up = async || (stack.get(warm, "/").await.ok()?.status == 200).then_some(());
    eventually(SOON, "it is warm", is_up).await?;
    // Until each worker has heard of the endpoint, one may hold a request for a moment.
    let is_warm = async || {
        for _ in 0..20 {
            let answer = stack.get(warm, "/").await.ok()?;
            let cold = answer.header("x-wakegate-cold-start");
            (answer.status == 200 && cold.is_empty()).then_some(())?;
        }
        Some(())
    };
    eventually(SOON, "each worker has heard of it", is_warm).await?;
    let steady = Steady::start(&stack, warm)?;
    Ok((stack, app, steady))
}

/// How often a daemon has refused for `reason`.
async fn n_refused(daemon: &Daemon, prefix: &str, reason: &str) -> Result<f64> {
    let sample = format!("{prefix}_refused_total{{reason=\"{reason}\"}}");
    Ok(daemon.samples().await?.sum(&sample))
}

/// Waits until both daemons have refused for `reason`; the log of each has one line of it, for all is within a
/// minute.
async fn both_refused_and_said_so_once(stack: &Stack, reason: &str) -> Result<()> {
    for (daemon, prefix) in daemons(stack) {
        let what = format!("{prefix} refuses for {reason}");
        eventually(SOON, &what, async || {
            let n_refused = n_refused(daemon, prefix, reason).await.ok()?;
            (n_refused > 0.0).then_some(())
        })
        .await
        .with_context(|| daemon.tail())?;
        has_one_line(daemon, reason)?;
    }
    Ok(())
}

fn has_one_line(daemon: &Daemon, reason: &str) -> Result<()> {
    let label = format!("reason=\"{reason}\"");
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains(&label));
    let n_lines = lines.count();
    ensure!(n_lines == 1, "{n_lines} lines of {label}:\n{log}");
    Ok(())
}

fn daemons(stack: &Stack) -> [(&Daemon, &'static str); 2] {
    [
        (&stack.control_plane, "wakegate_control_plane"),
        (&stack.scaler, "wakegate_scaler"),
    ]
}
