//! What all parts share: the ledger, the workloads, and who waits for news of which workload.

mod add_on;
mod look;
mod peers;
mod signals;
mod trigger;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wakegate_core::{
    Applied, Book, BookError, Instance, Key, Ledger, LedgerError, Metric, Question, Report,
    Workload, scale,
};
use wakegate_wire::encode_relayed;

use self::{
    add_on::{AddOn, Heard, Part},
    signals::Signals,
};
use crate::{ledgers::Subscription, metrics::Metrics};

pub(crate) use self::add_on::Object;
pub(crate) use self::look::{Look, Refusal};
pub(crate) use self::signals::News;
pub(crate) use self::trigger::Trigger;

/// When a scaler starts, by the time that its ledger goes by: other replicas may have heard of what was before.
const START: Duration = Duration::from_hours(24);

/// ScaledObjects whose stream was ended once already. Beyond, none is ended any more.
const MAX_RESET: usize = 100_000;

/// What all parts share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) metrics: Metrics,
    started: Instant,
    inner: Mutex<Inner>,
    /// Where the add-on's metrics are served. Locked alone or after `inner`.
    add_on: Option<Mutex<AddOn>>,
    /// Fires when the first table came.
    loaded: CancellationToken,
    /// Fires when the ledgers of the other replicas came, or will not come soon.
    synced: CancellationToken,
}

#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    /// Replicas that follow this one.
    followers: Vec<Weak<Subscription>>,
    book: Book,
    is_loaded: bool,
    /// By workload id, as long as somebody listens.
    signals: HashMap<String, Signals>,
    /// Namespace and name of the ScaledObjects whose stream was ended once since this start.
    reset: HashSet<(String, String)>,
}

impl State {
    pub(crate) fn new(settling: Duration, metrics: Metrics) -> Self {
        Self {
            metrics,
            started: Instant::now(),
            inner: Mutex::new(Inner {
                ledger: Ledger::new(START).with_settling(settling),
                followers: Vec::new(),
                book: Book::default(),
                is_loaded: false,
                signals: HashMap::new(),
                reset: HashSet::new(),
            }),
            add_on: None,
            loaded: CancellationToken::new(),
            synced: CancellationToken::new(),
        }
    }

    /// Counts for the objects of the KEDA HTTP Add-on too.
    #[must_use]
    pub(crate) fn with_add_on(mut self) -> Self {
        self.add_on = Some(Mutex::default());
        self
    }

    /// The time that the ledger goes by.
    pub(crate) fn now(&self) -> Duration {
        START + self.started.elapsed()
    }

    /// Takes in a report of a worker of this replica, relays it, and wakes who waits for it.
    pub(crate) fn report(
        &self,
        instance: &Instance,
        report: Report,
    ) -> Result<Applied, LedgerError> {
        let part = self
            .add_on
            .as_ref()
            .map(|add_on| (add_on, Part::of(&report)));
        let now = self.now();
        let mut inner = self.inner.lock();
        let relayed = inner
            .is_followed()
            .then(|| encode_relayed(instance, &report));
        let applied = inner.ledger.apply(now, instance, report)?;
        if applied.taken
            && let Some(relayed) = relayed
        {
            inner.relay(now, &applied, &relayed);
        }
        inner.tell_all(&applied, now);
        drop(inner);
        if let Some((add_on, part)) = part.filter(|_| applied.taken) {
            add_on.lock().count(now, instance, part, Heard::Here);
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
        let n_here = inner.ledger.n_here(now);
        self.metrics.workers_here().set(gauge(n_here));
        self.metrics.peers(inner.ledger.peers().count(now));
        self.metrics.keys.set(gauge(inner.ledger.n_keys()));
        self.metrics.workloads.set(gauge(inner.book.len()));
        drop(inner);
        if let Some(add_on) = &self.add_on {
            add_on.lock().age(now);
        }
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
            if let Some(add_on) = &self.add_on {
                add_on.lock().expect(book.keys());
            }
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

    /// The objects of the add-on, each with the number of its requests under way.
    pub(crate) fn add_on_objects(&self) -> Vec<(Arc<Object>, u64)> {
        let add_on = self.add_on.as_ref();
        let objects = add_on.map(|add_on| add_on.lock().objects());
        let under_way = |keys: &[Key]| {
            // For one object at a time: thousands of workers have numbers for each, and reports wait.
            let in_flight = self.inner.lock().ledger.in_flight_here(keys, self.now());
            in_flight.held + in_flight.running
        };
        let objects = objects.into_iter().flatten();
        objects
            .map(|known| (known.object, under_way(&known.keys)))
            .collect()
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

    /// Tells of everything that a report or a page brought.
    fn tell_all(&mut self, applied: &Applied, now: Duration) {
        for key in &applied.newly_held {
            self.tell(key, now, true);
        }
        for key in &applied.touched {
            self.tell(key, now, false);
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
