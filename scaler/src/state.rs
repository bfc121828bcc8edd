//! What all parts share: the ledger, the workloads, and who waits for news of which workload.

mod signals;
mod trigger;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wakegate_core::{
    Applied, Book, BookError, Instance, Key, Ledger, LedgerError, Metric, Question, Report, Scale,
    Unknown, Workload, scale,
};

use self::signals::Signals;
use crate::metrics::Metrics;

pub(crate) use self::signals::News;
pub(crate) use self::trigger::{Trigger, TriggerError};

/// ScaledObjects whose stream was ended once already. Beyond, none is ended any more.
const MAX_RESET: usize = 100_000;

/// What all parts share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) metrics: Metrics,
    started: Instant,
    inner: Mutex<Inner>,
    /// Fires when the first table came.
    loaded: CancellationToken,
}

#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    book: Book,
    is_loaded: bool,
    /// By workload id, as long as somebody listens.
    signals: HashMap<String, Signals>,
    /// Namespace and name of the ScaledObjects whose stream was ended once since this start.
    reset: HashSet<(String, String)>,
}

/// What is known for a trigger.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) workload: Arc<Workload>,
    pub(crate) scale: Scale,
    /// Made of the trigger alone, because there is no table yet: other keys of the workload are missing.
    is_provisional: bool,
}

/// Why KEDA gets no answer.
#[derive(Clone, Debug, PartialEq, Error)]
pub(crate) enum Refusal {
    #[error("the scaler has no table from the control plane yet")]
    NoTable,
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    #[error("there is no metric {name:?}; there are {known}")]
    NoMetric { name: String, known: String },
}

impl State {
    pub(crate) fn new(settling: Duration, metrics: Metrics) -> Self {
        Self {
            metrics,
            started: Instant::now(),
            inner: Mutex::new(Inner {
                ledger: Ledger::new(Duration::ZERO).with_settling(settling),
                book: Book::default(),
                is_loaded: false,
                signals: HashMap::new(),
                reset: HashSet::new(),
            }),
            loaded: CancellationToken::new(),
        }
    }

    /// The time that the ledger goes by: since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes in a report, and wakes who waits for it.
    pub(crate) fn report(
        &self,
        instance: &Instance,
        report: Report,
    ) -> Result<Applied, LedgerError> {
        let now = self.now();
        let mut inner = self.inner.lock();
        let applied = inner.ledger.apply(now, instance, report)?;
        for key in &applied.newly_held {
            inner.tell(key, now, true);
        }
        for key in &applied.touched {
            inner.tell(key, now, false);
        }
        Ok(applied)
    }

    /// Notices silence, tells news that waited, and sets gauges.
    pub(crate) fn tick(&self) {
        let now = self.now();
        let mut inner = self.inner.lock();
        let aged = inner.ledger.age(now);
        if aged.n_silent > 0
            && let Some(left_out) = self.metrics.refusals.line_due("silence")
        {
            tracing::info!(workers = aged.n_silent, left_out, "workers fell silent");
        }
        for key in &aged.touched {
            inner.tell(key, now, true);
        }
        for signals in inner.signals.values_mut() {
            signals.tell_what_waits(now);
        }
        inner.signals.retain(|_, signals| !signals.is_idle());
        self.metrics.workers.set(gauge(inner.ledger.n_live(now)));
        self.metrics.keys.set(gauge(inner.ledger.n_keys()));
        self.metrics.workloads.set(gauge(inner.book.len()));
    }

    /// Takes in what the control plane says of workloads.
    pub(crate) fn load(&self, full: bool, workloads: Vec<Workload>, removed: &[String]) {
        let now = self.now();
        let mut inner = self.inner.lock();
        let digest = inner.book.digest();
        let changed = if full {
            inner.book.replace(workloads)
        } else {
            inner.book.apply(workloads, removed)
        };
        let Inner { ledger, book, .. } = &mut *inner;
        if book.digest() != digest {
            ledger.expect_table(book.keys());
        }
        if inner.is_loaded {
            for id in changed {
                inner.signal_all(&id, now);
            }
        } else {
            // Who waits so far waits for a name that came from a trigger.
            inner.is_loaded = true;
            let waiting: Vec<String> = inner.signals.keys().cloned().collect();
            for id in waiting {
                inner.signal_all(&id, now);
            }
            self.loaded.cancel();
        }
    }

    /// What is known for a trigger.
    pub(crate) fn look(&self, trigger: &Trigger) -> Result<Look, Refusal> {
        let now = self.now();
        let mut inner = self.inner.lock();
        let (workload, is_provisional) = inner.find(trigger)?;
        let targets = workload.targets.or(trigger.targets);
        let question = Question {
            now,
            window: trigger.window,
            targets,
        };
        inner
            .ledger
            .remember(question.window.max(targets.rate_window));
        let scale = scale(&inner.ledger, &workload.keys, &question);
        Ok(Look {
            workload,
            scale,
            is_provisional,
        })
    }

    /// The metrics of a trigger, which may be asked for before there is a table.
    pub(crate) fn metrics_of(&self, trigger: &Trigger) -> Result<Vec<(Metric, f64)>, Refusal> {
        match self.inner.lock().find(trigger) {
            Ok((workload, _)) => Ok(workload.targets.or(trigger.targets).metrics()),
            Err(Refusal::NoTable) => Ok(trigger.targets.metrics()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Listens for news of a workload.
    pub(crate) fn listen(&self, id: &str) -> News {
        let mut inner = self.inner.lock();
        inner.signals.entry(id.to_owned()).or_default().listen(id)
    }

    /// Returns when there is a table.
    pub(crate) async fn loaded(&self) {
        self.loaded.cancelled().await;
    }

    /// Whether the stream of this ScaledObject is still to be ended once.
    pub(crate) fn owes_reset(&self, trigger: &Trigger) -> bool {
        let inner = self.inner.lock();
        inner.reset.len() < MAX_RESET && !inner.reset.contains(&trigger.scaled_object())
    }

    /// The stream of this ScaledObject was ended.
    pub(crate) fn did_reset(&self, trigger: &Trigger) {
        self.inner.lock().reset.insert(trigger.scaled_object());
    }
}

impl Look {
    /// What KEDA is told, or why nothing.
    pub(crate) fn answer(self) -> Result<Scale, Refusal> {
        match self.scale {
            Scale::Unknown(unknown) => Err(unknown.into()),
            Scale::Idle(_) if self.is_provisional => Err(Refusal::NoTable),
            scale @ (Scale::Idle(_) | Scale::Active(_)) => Ok(scale),
        }
    }
}

impl Inner {
    fn find(&self, trigger: &Trigger) -> Result<(Arc<Workload>, bool), Refusal> {
        match self.book.resolve(&trigger.namespace, &trigger.metadata) {
            Ok(workload) => Ok((Arc::clone(workload), false)),
            Err(BookError::NotFound { .. }) if !self.is_loaded => {
                let workload = trigger.provisional().ok_or(Refusal::NoTable)?;
                Ok((Arc::new(workload), true))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the workloads of a key that there is news of it.
    fn tell(&mut self, key: &Key, now: Duration, is_urgent: bool) {
        let Self {
            book,
            signals,
            is_loaded,
            ..
        } = self;
        let provisional = (!*is_loaded).then_some(key.as_str());
        for id in book.of_key(key).chain(provisional) {
            if let Some(signals) = signals.get_mut(id) {
                signals.tell(now, is_urgent);
            }
        }
    }

    fn signal_all(&mut self, id: &str, now: Duration) {
        if let Some(signals) = self.signals.get_mut(id) {
            signals.tell(now, true);
            signals.tell_targets();
        }
    }
}

fn gauge(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
