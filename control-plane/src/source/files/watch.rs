//! The directory, watched: reads what changes as soon as it is whole.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{self, MissedTickBehavior, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Batch, FileSet, FilesError, pending::Pending};
use crate::source::Reload;

/// A change soon after another waits until it has been quiet for so long, so that a burst of files is
/// one reload. The first change of a burst does not wait.
const QUIET: Duration = Duration::from_millis(2);

/// The longest that a burst is gathered.
const BURST_LIMIT: Duration = Duration::from_millis(20);

/// How often everything is looked at, in case the operating system lost an event.
const RESCAN: Duration = Duration::from_secs(30);

/// A watched directory of manifests.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    set: FileSet,
    signal: Arc<Signal>,
    _watcher: RecommendedWatcher,
}

#[derive(Debug, Default)]
struct Signal {
    pending: Mutex<Pending>,
    changed: Notify,
}

impl Files {
    /// Watches `dir` and reads all of it.
    ///
    /// # Errors
    /// The directory is not there, not readable, or cannot be watched.
    pub fn open(dir: PathBuf) -> Result<(Self, Reload), FilesError> {
        let signal = Arc::new(Signal::default());
        let events = Arc::clone(&signal);
        let failed = |source| FilesError::Watch {
            dir: dir.clone(),
            source,
        };
        // Watched first and read then, so that nothing falls between.
        let mut watcher =
            notify::recommended_watcher(move |event| events.on_event(event)).map_err(failed)?;
        watcher
            .watch(&dir, RecursiveMode::Recursive)
            .map_err(failed)?;
        let set = FileSet::new(dir.clone());
        let mut files = Self {
            dir,
            set,
            signal,
            _watcher: watcher,
        };
        let first = files.reload(&Batch::Everything)?.unwrap_or_default();
        Ok((files, first))
    }

    /// Hands every reload that brought a change to `apply`, until the shutdown.
    ///
    /// # Errors
    /// None while the directory stands; one that goes away leaves the last state in force.
    pub async fn run(
        mut self,
        mut apply: impl FnMut(Reload),
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut rescan = time::interval(RESCAN);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settled_at = time::Instant::now();
        loop {
            let overdue = self.signal.pending.lock().deadline();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = self.signal.changed.notified() => self.settle(settled_at).await,
                () = sleep_until(overdue) => {}
                _ = rescan.tick() => self.signal.pending.lock().everything(),
            }
            let Some(batch) = self.signal.pending.lock().take(Instant::now()) else {
                continue;
            };
            match self.reload(&batch) {
                // A temporary file that came and went is no burst.
                Ok(None) => {}
                Ok(Some(reload)) => {
                    apply(reload);
                    settled_at = time::Instant::now();
                }
                Err(error) => {
                    let dir = self.dir.display();
                    tracing::error!(%dir, %error, "manifests are not read; the last state stays");
                }
            }
        }
    }

    /// Reads at once what comes alone, and gathers what comes in a burst.
    async fn settle(&self, settled_at: time::Instant) {
        let now = time::Instant::now();
        if now.duration_since(settled_at) >= BURST_LIMIT {
            return;
        }
        let limit = now + BURST_LIMIT;
        loop {
            let quiet = (time::Instant::now() + QUIET).min(limit);
            if timeout_at(quiet, self.signal.changed.notified())
                .await
                .is_err()
            {
                return;
            }
        }
    }

    fn reload(&mut self, batch: &Batch) -> Result<Option<Reload>, FilesError> {
        // Files are small and local: reading them here costs less than handing them to another thread.
        let begin = Instant::now();
        let Some(changes) = self.set.reload(batch)? else {
            return Ok(None);
        };
        let findings = self.set.findings();
        Ok(Some(Reload {
            changes,
            findings,
            took: begin.elapsed(),
        }))
    }
}

impl Signal {
    fn on_event(&self, event: notify::Result<notify::Event>) {
        match event {
            Ok(event) => self.pending.lock().on_event(&event, Instant::now()),
            Err(error) => {
                tracing::warn!(%error, "file events were lost; looking at everything");
                self.pending.lock().everything();
            }
        }
        self.changed.notify_one();
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
