//! Supervised tasks: every task has a name, its end is news, and shutdown has a deadline.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of one daemon. A clone is a handle to the same tasks.
///
/// ```
/// # use std::time::Duration;
/// # use wakegate_runtime::Tasks;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let tasks = Tasks::default();
/// let shutdown = tasks.shutdown_token();
/// tasks.spawn("serve", async move {
///     shutdown.cancelled().await;
///     Ok(())
/// });
/// tasks.shutdown_token().cancel();
/// tasks.run(Duration::from_secs(1)).await.unwrap();
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    shared: Arc<Shared>,
}

/// Why a daemon ended other than by a signal.
#[derive(Debug, Error)]
pub enum TaskError {
    /// A task that lives as long as the daemon ended without a reason.
    #[error("task {name} ended before the shutdown")]
    Ended {
        /// The task.
        name: &'static str,
    },
    /// A task panicked; the panic itself is in the log.
    #[error("task {name} panicked")]
    Panicked {
        /// The task.
        name: &'static str,
    },
    /// Some tasks did not end in time and were dropped.
    #[error("gave up after {limit:?} on tasks that did not end: {}", left.join(", "))]
    DrainTimedOut {
        /// How long was waited.
        limit: Duration,
        /// The tasks that were still running.
        left: Vec<&'static str>,
    },
}

#[derive(Debug, Default)]
struct Shared {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    /// The first failure is the cause; what fails in its wake is only logged.
    failure: Mutex<Option<anyhow::Error>>,
    /// Task name -> how many run, for the message when a drain gives up.
    running: Mutex<BTreeMap<&'static str, usize>>,
}

/// Tells the end of one task, also when it unwinds.
struct Running {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Tasks {
    /// Spawns a task that lives as long as the daemon: its end before the shutdown, with or without an
    /// error, starts the shutdown and fails [`run`](Self::run).
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let running = Running::new(name, &self.shared);
        self.track(async move {
            let result = task.await;
            let is_expected = running.shared.shutdown.is_cancelled();
            match result {
                Ok(()) if is_expected => tracing::debug!(task = name, "task ended"),
                Ok(()) => running.shared.fail(TaskError::Ended { name }.into()),
                Err(error) => running.shared.fail(error.context(format!("task {name}"))),
            }
        });
    }

    /// Spawns a task that may end at any time, such as one for a connection; only its panic is news.
    pub fn spawn_short<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = Running::new(name, &self.shared);
        self.track(async move {
            task.await;
            drop(running);
        });
    }

    /// Is cancelled when the daemon shuts down; cancelling it shuts the daemon down.
    pub fn shutdown_token(&self) -> CancellationToken {
        self.shared.shutdown.clone()
    }

    /// Waits for SIGTERM, SIGINT or the end of a task, then for all tasks, at most `drain_limit`.
    ///
    /// # Errors
    /// A task failed, ended too early or panicked, or tasks were still running at the deadline.
    pub async fn run(self, drain_limit: Duration) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let Shared {
            tracker,
            shutdown,
            failure,
            running,
        } = &*self.shared;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM received, shutting down"),
            _ = interrupt.recv() => tracing::info!("SIGINT received, shutting down"),
            () = shutdown.cancelled() => tracing::info!("shutting down"),
        }
        shutdown.cancel();
        tracker.close();
        let drained = timeout(drain_limit, tracker.wait()).await;
        if let Some(error) = failure.lock().take() {
            return Err(error);
        }
        if drained.is_err() {
            let left = running.lock().keys().copied().collect();
            return Err(TaskError::DrainTimedOut {
                limit: drain_limit,
                left,
            }
            .into());
        }
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that spawns, and watches"
    )]
    fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The handle is not needed: `Running` reports the end, the tracker waits for it.
        drop(tokio::spawn(self.shared.tracker.track_future(task)));
    }
}

impl Shared {
    fn fail(&self, error: anyhow::Error) {
        self.shutdown.cancel();
        let mut failure = self.failure.lock();
        if failure.is_some() {
            tracing::error!(
                error = format!("{error:#}"),
                "task failed during the shutdown"
            );
        } else {
            *failure = Some(error);
        }
    }
}

impl Running {
    fn new(name: &'static str, shared: &Arc<Shared>) -> Self {
        *shared.running.lock().entry(name).or_default() += 1;
        Self {
            name,
            shared: Arc::clone(shared),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.shared.running.lock();
        if let Some(n_running) = running.get_mut(self.name) {
            *n_running -= 1;
            if *n_running == 0 {
                running.remove(self.name);
            }
        }
        drop(running);
        if std::thread::panicking() {
            self.shared
                .fail(TaskError::Panicked { name: self.name }.into());
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    async fn outcome_of(tasks: Tasks) -> String {
        match tasks.run(LIMIT).await {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    fn with_server() -> Tasks {
        let tasks = Tasks::default();
        let shutdown = tasks.shutdown_token();
        tasks.spawn("server", async move {
            shutdown.cancelled().await;
            Ok(())
        });
        tasks
    }

    #[tokio::test]
    async fn an_end_too_early_shuts_everything_down() {
        let tasks = with_server();
        tasks.spawn("push", async { Ok(()) });
        assert_eq!(
            outcome_of(tasks).await,
            "task push ended before the shutdown"
        );
    }

    #[tokio::test]
    async fn a_failure_carries_its_cause() {
        let tasks = with_server();
        tasks.spawn("push", async {
            Err(anyhow::anyhow!("no such port").context("bind"))
        });
        assert_eq!(outcome_of(tasks).await, "task push: bind: no such port");
    }

    #[tokio::test]
    async fn a_panic_is_news_in_every_kind_of_task() {
        let tasks = with_server();
        tasks.spawn("push", async { panic!("as meant") });
        assert_eq!(outcome_of(tasks).await, "task push panicked");

        let tasks = with_server();
        tasks.spawn_short("connection", async { panic!("as meant") });
        assert_eq!(outcome_of(tasks).await, "task connection panicked");
    }

    #[tokio::test]
    async fn a_short_task_may_end() {
        let tasks = with_server();
        let shutdown = tasks.shutdown_token();
        let (done, ended) = tokio::sync::oneshot::channel();
        tasks.spawn_short("connection", async move {
            done.send(()).unwrap();
        });
        ended.await.unwrap();
        assert!(!shutdown.is_cancelled());
        shutdown.cancel();
        assert_eq!(outcome_of(tasks).await, "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_gives_up_at_its_deadline_and_says_on_whom() {
        let tasks = with_server();
        tasks.spawn("stuck", std::future::pending());
        tasks.shutdown_token().cancel();
        let outcome = outcome_of(tasks).await;
        assert_eq!(outcome, "gave up after 5s on tasks that did not end: stuck");
    }
}
