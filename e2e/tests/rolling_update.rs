//! Both daemons are replaced, one replica after the other, while requests flow and others are held: no request fails,
//! and what is busy is never scaled to zero.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time;
use wakegate_e2e::autoscaler::Event;
use wakegate_e2e::client::{Answer, H2, get, read};
use wakegate_e2e::{Background, Daemon, Service, Stack, eventually_is};

const SOON: Duration = Duration::from_secs(20);
/// Both workers have some of them.
const N_CONNECTIONS: usize = 8;
/// 500 requests a second: so many together, so often.
const TOGETHER: usize = 10;
const APART: Duration = Duration::from_millis(20);
const N_HELD: usize = 200;

/// 500 requests a second, and what became of them.
struct Traffic {
    n_answered: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    task: Background,
}

#[tokio::test]
async fn both_daemons_are_replaced_under_traffic() -> Result<()> {
    let (hot, cold) = (Service::new("hot"), Service::new("cold"));
    let stack = Stack::builder().serve(hot.clone()).serve(cold.clone());
    let mut stack = stack.tls().control_planes(2).scalers(2).start().await?;
    let autoscaler = stack.autoscale(&hot)?;
    let first = stack.get(&hot, "/").await?;
    ensure!(first.status == 200, "{}: {}", first.status, first.text());
    let traffic = Traffic::start(&stack, &hot).await?;
    let connection = H2::open(stack.address()?).await?;
    let held = (0..N_HELD).map(|_| Ok(connection.send(get(&cold.url("/"))?)));
    let held = held.collect::<Result<Vec<_>>>()?;
    stack.held_is(N_HELD, SOON).await?;
    let mark = autoscaler.journal().len();

    let begin = Instant::now();
    for daemon in stack.control_planes() {
        replace(daemon).await?;
    }
    for daemon in stack.scalers() {
        replace(daemon).await?;
    }
    let took = begin.elapsed();

    stack.held_is(N_HELD, SOON).await?;
    let app = stack.wake(&cold).await?;
    let answers = held.into_iter();
    let answers = answers.map(async |request| read(request.await?).await);
    for answer in try_join_all(answers).await? {
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    let n_answered = traffic.end().await?;
    let expected = took.as_millis() * 2 / 5;
    ensure!(
        u128::from(n_answered) > expected,
        "only {n_answered} in {took:?}"
    );
    let journal = autoscaler.journal();
    let to_zero = journal.find(mark, "hot", |event| matches!(event, Event::Scaled(_, 0)));
    ensure!(to_zero.is_none(), "scaled to zero: {}", journal.text(mark));
    app.stop(SOON).await?;
    stack.finish().await
}

/// As a rollout does: the old one is told to end, the new one starts in its place, and the next one's turn comes when
/// it is ready.
async fn replace(daemon: &mut Daemon) -> Result<()> {
    daemon.terminate().await?;
    daemon.start_again().await?;
    daemon.ready().await
}

impl Traffic {
    async fn start(stack: &Stack, service: &Service) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..N_CONNECTIONS {
            connections.push(H2::open(stack.address()?).await?);
        }
        let (n_answered, failures) = (Arc::<AtomicU64>::default(), Arc::default());
        let is_over = Arc::<AtomicBool>::default();
        let counts = (
            Arc::clone(&n_answered),
            Arc::<Mutex<Vec<String>>>::clone(&failures),
            Arc::clone(&is_over),
        );
        let url = service.url("/");
        let task = Background::start(async move {
            let (n_answered, failures, is_over) = counts;
            let (mut pending, mut ticks) = (JoinSet::new(), time::interval(APART));
            let mut turns = connections.iter().cycle();
            while !is_over.load(Relaxed) {
                ticks.tick().await;
                for connection in turns.by_ref().take(TOGETHER) {
                    let Ok(request) = get(&url) else { return };
                    let response = connection.send(request);
                    pending.spawn(async move { read(response.await?).await });
                }
                while let Some(Ok(answer)) = pending.try_join_next() {
                    note(answer, &n_answered, &failures);
                }
            }
            while let Some(Ok(answer)) = pending.join_next().await {
                note(answer, &n_answered, &failures);
            }
        });
        Ok(Self {
            n_answered,
            failures,
            is_over,
            task,
        })
    }

    /// Waits for the last answers; how many came, or an error when one was no 200.
    async fn end(mut self) -> Result<u64> {
        self.is_over.store(true, Relaxed);
        let is_done = async || Ok(self.task.is_done());
        eventually_is(SOON, "the last answer", true, is_done).await?;
        let failures = self.failures.lock();
        ensure!(
            failures.is_empty(),
            "{} failed: {failures:#?}",
            failures.len()
        );
        Ok(self.n_answered.load(Relaxed))
    }
}

fn note(answer: Result<Answer>, n_answered: &AtomicU64, failures: &Mutex<Vec<String>>) {
    match answer {
        Ok(answer) if answer.status == 200 => {
            n_answered.fetch_add(1, Relaxed);
        }
        Ok(answer) => failures
            .lock()
            .push(format!("{}: {}", answer.status, answer.text())),
        Err(error) => failures.lock().push(format!("{error:#}")),
    }
}
