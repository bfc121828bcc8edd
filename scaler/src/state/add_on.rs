//! What was counted for the objects of the KEDA HTTP Add-on: totals that never go down, whatever becomes of the
//! workers that counted.
//!
//! A worker's totals end with its life, and the ledger forgets them when it ages out. Here the differences are
//! added up, for as long as the control plane names the object.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wakegate_core::{Instance, Key, KeyReport, Report};

/// The kinds of keys that objects of the add-on have.
const KINDS: [&str; 2] = ["interceptorRoute", "httpScaledObject"];

/// As in the ledger: a life that began so long ago by its own clock, or took the place of one heard so long
/// ago, is counted from zero. An older one was counted by a scaler before this.
const YOUNG: Duration = Duration::from_secs(20);

/// A worker that is silent for so long is forgotten. The ledger forgets none earlier, so that its bounds
/// hold here too.
const SILENCE: Duration = Duration::from_mins(1);

/// The objects of the add-on, and what was counted for them.
#[derive(Debug, Default)]
pub(super) struct AddOn {
    /// By namespace and name: what is of two kinds and has one name has one set of labels, hence one total. A
    /// move from one kind to the other goes on where it was.
    objects: BTreeMap<(String, String), Known>,
    by_key: HashMap<Key, Arc<Object>>,
    workers: HashMap<(Arc<str>, u32), Worker>,
}

/// An object of the add-on.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) namespace: String,
    pub(crate) name: String,
    ended: AtomicU64,
    integral_ms: AtomicU64,
}

/// An object, and what its demand is under.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) object: Arc<Object>,
    pub(crate) keys: Vec<Key>,
}

/// What a worker said last, to take the difference to.
#[derive(Debug)]
struct Worker {
    boot_id: u64,
    seen: Duration,
    said: HashMap<Key, Said>,
    /// It said everything once; of what is relayed the begin may be missing.
    is_whole: bool,
}

/// Who heard a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// This replica, which counts it.
    Here,
    /// Another, which counts it: this one only goes on from there, should the worker come.
    Elsewhere,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    ended: u64,
    integral_ms: u64,
}

/// The part of a report that is of the add-on's objects.
#[derive(Debug)]
pub(super) struct Part {
    clock: Duration,
    full: bool,
    said: Vec<(Key, Said)>,
}

impl AddOn {
    /// Keeps the objects that `keys` are of, and no others.
    pub(super) fn expect<'a>(&mut self, keys: impl Iterator<Item = &'a Key>) {
        let before = mem::take(&mut self.objects);
        self.by_key.clear();
        for key in keys {
            let Some((namespace, name)) = parse(key) else {
                continue;
            };
            let id = (namespace.to_owned(), name.to_owned());
            let object = before.get(&id).map(|known| Arc::clone(&known.object));
            let known = self.objects.entry(id).or_insert_with(|| Known {
                object: object.unwrap_or_else(|| Arc::new(Object::new(namespace, name))),
                keys: Vec::new(),
            });
            known.keys.push(key.clone());
            self.by_key.insert(key.clone(), Arc::clone(&known.object));
        }
    }

    /// The objects, by their names.
    pub(super) fn objects(&self) -> Vec<Known> {
        self.objects.values().cloned().collect()
    }

    /// Counts what is new in a report that turned out to be news.
    pub(super) fn count(&mut self, now: Duration, instance: &Instance, part: Part, heard: Heard) {
        let Part { clock, full, said } = part;
        let slot = (Arc::clone(&instance.proxy), instance.worker);
        let before = self
            .workers
            .get(&slot)
            .map(|worker| (worker.boot_id, worker.seen));
        let worker = self.workers.entry(slot).or_insert_with(|| Worker {
            boot_id: instance.boot_id,
            seen: now,
            said: HashMap::new(),
            is_whole: full,
        });
        let is_same = before.is_some_and(|(boot_id, _)| boot_id == instance.boot_id);
        let took_place = before.is_some_and(|(_, seen)| now.saturating_sub(seen) <= YOUNG);
        let age = clock.saturating_sub(Duration::from_millis(instance.boot_id));
        let counts_from_here = !is_same && !took_place && age > YOUNG;
        worker.boot_id = instance.boot_id;
        worker.seen = now;
        let mut last = HashMap::new();
        let was_whole = if is_same { worker.is_whole } else { full };
        worker.is_whole = was_whole || full;
        if !is_same {
            worker.said.clear();
        } else if full {
            // What a full report does not name is zero.
            last = mem::take(&mut worker.said);
        }
        for (key, said) in said {
            let object = self.by_key.get(&key);
            let before = last.remove(&key);
            let is_old = before.is_none() && !worker.said.contains_key(&key) && !was_whole;
            let counts_from_here = counts_from_here || is_old;
            // The first requests of a new object may come before its name: they count once it is there. Where
            // an old life starts from is to be kept for an object that is named later.
            let is_wanted = object.is_some() || before.is_some() || counts_from_here;
            let before = worker.say(key, said, is_wanted).or(before);
            if let Some(object) = object
                && !counts_from_here
                && heard == Heard::Here
            {
                object.add(said.since(before.unwrap_or_default()));
            }
        }
    }

    /// Forgets workers that are gone.
    pub(super) fn age(&mut self, now: Duration) {
        self.workers
            .retain(|_, worker| now.saturating_sub(worker.seen) <= SILENCE);
    }
}

impl Worker {
    /// Keeps what is said of a key, and gives what was said before. Nothing is kept of zero.
    fn say(&mut self, key: Key, said: Said, is_wanted: bool) -> Option<Said> {
        if said == Said::default() {
            return self.said.remove(&key);
        }
        if let Some(last) = self.said.get_mut(&key) {
            return Some(mem::replace(last, said));
        }
        if is_wanted {
            self.said.insert(key, said);
        }
        None
    }
}

impl Object {
    fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ended: AtomicU64::default(),
            integral_ms: AtomicU64::default(),
        }
    }

    /// Requests that ended.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// The time that requests took, up to the last news of each worker.
    pub(crate) fn taken(&self) -> Duration {
        Duration::from_millis(self.integral_ms.load(Ordering::Relaxed))
    }

    /// Whoever adds has the one `AddOn`, so nothing is added between the two steps.
    fn add(&self, more: Said) {
        for (total, more) in [
            (&self.ended, more.ended),
            (&self.integral_ms, more.integral_ms),
        ] {
            let sum = total.load(Ordering::Relaxed).saturating_add(more);
            total.store(sum, Ordering::Relaxed);
        }
    }
}

impl Part {
    /// What a report says of the add-on's objects.
    pub(super) fn of(report: &Report) -> Self {
        let is_ours = |report: &&KeyReport| parse(&report.key).is_some();
        let said = report.keys.iter().filter(is_ours).map(|report| {
            // Never more than started, so that the ledger keeps numbers of all that is kept here.
            let ended = report.ended.min(report.started);
            let integral_ms = report.integral_ms;
            (report.key.clone(), Said { ended, integral_ms })
        });
        Self {
            clock: report.now,
            full: report.full,
            said: said.collect(),
        }
    }
}

impl Said {
    /// What was added; a total that is less than before began again at zero.
    fn since(self, before: Self) -> Self {
        let more = |now: u64, before| now.checked_sub(before).unwrap_or(now);
        Self {
            ended: more(self.ended, before.ended),
            integral_ms: more(self.integral_ms, before.integral_ms),
        }
    }
}

fn parse(key: &Key) -> Option<(&str, &str)> {
    let (kind, rest) = key.as_str().split_once('/')?;
    let (namespace, name) = rest.split_once('/')?;
    (KINDS.contains(&kind) && !name.contains('/')).then_some((namespace, name))
}
