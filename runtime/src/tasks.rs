//! Supervised tasks: every task has a name, its end is news, and shutdown has a deadline.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
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
#[derive(Clone, Debug)]
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

#[derive(Debug)]
struct Shared {
    tracker: TaskTracker,
    /// Comes before the shutdown, by the delay; at the latest with it.
    drain: CancellationToken,
    drain_delay: Duration,
    shutdown: CancellationToken,
    /// The first failure is the cause; what fails in its wake is only logged.
    failure: Mutex<Option<anyhow::Error>>,
    /// Task name -> how many run, for the message when a drain gives up.
    running: Mutex<BTreeMap<&'static str, usize>>,
}

/// What a daemon is told by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// By whoever runs it for others.
    Terminate,
    /// By somebody at a terminal.
    Interrupt,
}

/// Tells the end of one task, also when it unwinds.
struct Running {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Default for Tasks {
    /// Tasks that end as soon as they are told to.
    fn default() -> Self {
        Self::with_drain_delay(Duration::ZERO)
    }
}

impl Tasks {
    /// Tasks that go on for so long after SIGTERM as if nothing had been said: until whoever sends clients here has
    /// heard that this daemon is not ready any more.
    pub fn with_drain_delay(drain_delay: Duration) -> Self {
        let shutdown = CancellationToken::new();
        Self {
            shared: Arc::new(Shared {
                tracker: TaskTracker::new(),
                drain: shutdown.child_token(),
                drain_delay,
                shutdown,
                failure: Mutex::default(),
                running: Mutex::default(),
            }),
        }
    }

    /// Spawns a task that lives as long as the daemon: its end before the shutdown, with or without an
    /// error, starts the shutdown and fails [`run`](Self::run).
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let running = Running::new(name, &self.shared);
        self.track(async move {
            let result = task.await;
            // A drain comes first, and some have nothing to do after it.
            let is_expected = running.shared.drain.is_cancelled();
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

    /// Is cancelled when the daemon is told to end, and before everything else: it is not ready any more, and what
    /// another replica can do is another's.
    pub fn drain_token(&self) -> CancellationToken {
        self.shared.drain.clone()
    }

    /// Is cancelled when the daemon shuts down, after the delay; cancelling it shuts the daemon down.
    pub fn shutdown_token(&self) -> CancellationToken {
        self.shared.shutdown.clone()
    }

    /// Waits for SIGTERM, SIGINT or the end of a task, then for all tasks, at most `drain_limit`. Only SIGTERM comes
    /// from somebody who sends clients elsewhere, and is worth the delay; a second signal ends that.
    ///
    /// # Errors
    /// A task failed, ended too early or panicked, or tasks were still running at the deadline.
    pub async fn run(self, drain_limit: Duration) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let signals = async move || {
            tokio::select! {
                _ = terminate.recv() => Told::Terminate,
                _ = interrupt.recv() => Told::Interrupt,
            }
        };
        self.run_until(signals, drain_limit).await
    }

    async fn run_until(
        self,
        mut signals: impl AsyncFnMut() -> Told,
        drain_limit: Duration,
    ) -> anyhow::Result<()> {
        let Shared {
            tracker,
            drain,
            drain_delay,
            shutdown,
            failure,
            running,
        } = &*self.shared;
        let told = shutdown.run_until_cancelled(signals()).await;
        tracing::info!(?told, "shutting down");
        drain.cancel();
        if told == Some(Told::Terminate) && !drain_delay.is_zero() {
            tracing::info!(delay = ?drain_delay, "not ready any more; clients are served until they hear of it");
            tokio::select! {
                () = sleep(*drain_delay) => {}
                told = signals() => tracing::info!(?told, "shutting down at once"),
                () = shutdown.cancelled() => {}
            }
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
mod tests;
