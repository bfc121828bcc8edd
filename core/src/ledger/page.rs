//! What travels of a ledger to another replica: a page for each worker, and the keys of each table.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Applied, Ledger, LedgerError, MAX_HORIZON, PeerId,
    count::Count,
    error::{self, MAX_COUNTS, MAX_INSTANCES, MAX_KEYS},
    life::{Life, Via},
    merge::Leaf,
};
use crate::{Instance, Key};

/// One sample for each second that is remembered, the one before, and the last.
const MAX_SAMPLES: u64 = MAX_HORIZON.as_secs() + 2;

/// Everything that a ledger keeps of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The worker.
    pub instance: Instance,
    /// The number of its last report.
    pub sequence: u64,
    /// How long ago that report came. Replicas do not share a clock.
    pub age: Duration,
    /// The worker's clock in that report.
    pub clock: Duration,
    /// The worker's time line at that report, in milliseconds.
    pub line: u64,
    /// The digest of its table; 0 for none.
    pub known_digest: u64,
    /// Its silence was noticed.
    pub is_silent: bool,
    /// It reports to the replica that sends this.
    pub is_here: bool,
    /// Its numbers.
    pub counts: Vec<PageCount>,
}

/// The numbers of one key on a [`Page`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCount {
    /// The key.
    pub key: Key,
    /// Requests held.
    pub held: u32,
    /// Requests running.
    pub running: u32,
    /// Requests that started, as the worker said last.
    pub started: u64,
    /// The integral, as the worker said last.
    pub integral_ms: u64,
    /// What is remembered on the worker's time line, the oldest first; one at least.
    pub samples: Vec<Sample>,
}

/// Totals at one point of a worker's time line: never less than those of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// The point, in milliseconds.
    pub at: u64,
    /// Requests that started.
    pub started: u64,
    /// Request-milliseconds.
    pub integral: u64,
}

impl Ledger {
    /// The numbers of all workers, to ask for their pages.
    pub fn workers(&self) -> impl Iterator<Item = u32> {
        self.lives.keys().copied()
    }

    /// The page of a worker, unless it is forgotten.
    pub fn page(&self, worker: u32, now: Duration) -> Option<Page> {
        let life = self.lives.get(&worker)?;
        let counts = life.keys.iter().filter_map(|key| {
            let count = self.counts.get(key)?.get(&worker)?;
            Some(count.page(key.clone()))
        });
        Some(Page {
            instance: Instance {
                proxy: Arc::clone(&life.slot.proxy),
                worker: life.slot.worker,
                boot_id: life.boot_id,
            },
            sequence: life.sequence,
            age: self.peers.clock(life.via, now).saturating_sub(life.seen),
            clock: life.clock,
            line: life.line,
            known_digest: self.known.digest_of(worker),
            is_silent: life.silent,
            is_here: life.via == Via::Here,
            counts: counts.collect(),
        })
    }

    /// Takes in a page of another replica's ledger, where it is later than what is here: the rule of
    /// [`Ledger::merge`].
    ///
    /// # Errors
    /// When the page contradicts itself, or there is no room for it. Then nothing of it is taken in.
    pub fn import(
        &mut self,
        now: Duration,
        peer: PeerId,
        page: Page,
    ) -> Result<Applied, LedgerError> {
        let is_theirs = page.is_here;
        let mut leaf = Leaf::read(now, page)?;
        let mine = self.ids.get(&leaf.life.slot).copied();
        let told = if is_theirs {
            Via::Peer(peer)
        } else {
            Via::Hearsay
        };
        let life = mine.and_then(|mine| self.lives.get_mut(&mine));
        let life = life.filter(|life| {
            (life.boot_id, life.sequence) == (leaf.life.boot_id, leaf.life.sequence)
        });
        // Of one report, who heard it knows that best.
        leaf.life.via = match life {
            Some(life) if life.via == Via::Here || !is_theirs => life.via,
            Some(life) => {
                life.via = told;
                told
            }
            None => told,
        };
        if !self.is_later(&leaf) {
            return Ok(Applied::default());
        }
        let known = mine.and_then(|mine| self.lives.get(&mine));
        if known.is_none() && self.lives.len() >= MAX_INSTANCES {
            return Err(LedgerError::TooManyInstances);
        }
        let n_others = self.n_counts - known.map_or(0, |life| life.keys.len());
        if n_others + leaf.counts.len() > MAX_COUNTS {
            return Err(LedgerError::Full);
        }
        let was_held = |key: &Key| {
            let count = mine.and_then(|mine| self.counts.get(key)?.get(&mine));
            count.is_some_and(|count| count.held > 0)
        };
        let is_news =
            |(key, count): (&Key, &Count)| (count.held > 0 && !was_held(key)).then(|| key.clone());
        let newly_held = leaf.counts.iter().filter_map(is_news).collect();
        let mut touched: HashSet<Key> = leaf.counts.keys().cloned().collect();
        touched.extend(known.into_iter().flat_map(|life| life.keys.iter().cloned()));
        let (sequence, worker) = (leaf.life.sequence, self.put(leaf));
        Ok(Applied {
            taken: true,
            worker,
            sequence,
            newly_held,
            touched: touched.into_iter().collect(),
            ..Applied::default()
        })
    }

    /// The keys of all tables.
    pub fn tables(&self) -> Vec<Arc<HashSet<Key>>> {
        self.known.tables().map(Arc::clone).collect()
    }

    /// Takes in the keys of a table of another replica's ledger.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn import_table(&mut self, keys: &[Key]) -> Result<(), LedgerError> {
        keys.iter().try_for_each(error::check_key)?;
        let digest = keys
            .iter()
            .fold(0_u64, |sum, key| sum.wrapping_add(key.digest()));
        self.known.learn(digest, keys)
    }

    /// All pages of a ledger are taken in that has listened for so long and remembers so much.
    pub fn adopt(&mut self, now: Duration, heard_for: Duration, horizon: Duration) {
        self.since = self.since.min(now.saturating_sub(heard_for));
        self.remember(horizon);
    }

    /// How long numbers are remembered.
    pub fn horizon(&self) -> Duration {
        self.horizon
    }
}

impl Leaf {
    /// Reads a page that anybody may have sent.
    fn read(now: Duration, page: Page) -> Result<Self, LedgerError> {
        error::check_proxy(&page.instance)?;
        if page.counts.len() > MAX_KEYS {
            return Err(LedgerError::TooManyKeys(page.counts.len()));
        }
        let n_counts = page.counts.len();
        let mut counts = BTreeMap::new();
        for mut count in page.counts {
            error::check_key(&count.key)?;
            let key = count.key.clone();
            let samples = std::mem::take(&mut count.samples);
            let count = Count::read(&count, samples, page.line)?;
            counts.insert(key, count);
        }
        if counts.len() < n_counts {
            return Err(LedgerError::Page("a key is on it twice"));
        }
        let life = Life {
            slot: super::Slot::of(&page.instance),
            boot_id: page.instance.boot_id,
            sequence: page.sequence,
            seen: now.saturating_sub(page.age),
            clock: page.clock,
            line: page.line,
            silent: page.is_silent,
            via: Via::Hearsay,
            keys: counts.keys().cloned().collect(),
        };
        Ok(Self {
            life,
            digest: page.known_digest,
            counts,
        })
    }
}

impl Count {
    fn page(&self, key: Key) -> PageCount {
        PageCount {
            key,
            held: self.held,
            running: self.running,
            started: self.raw_started,
            integral_ms: self.raw_integral,
            samples: self.past.iter().chain([&self.last]).copied().collect(),
        }
    }

    fn read(count: &PageCount, mut samples: Vec<Sample>, line: u64) -> Result<Self, LedgerError> {
        let wrong = |text| Err(LedgerError::Page(text));
        if samples.len() as u64 > MAX_SAMPLES {
            return wrong("a key has too many samples");
        }
        let totals = |sample: &Sample| (sample.at, sample.started, sample.integral);
        let grows = samples.is_sorted_by(|one, next| {
            let ((a, b, c), (at, started, integral)) = (totals(one), totals(next));
            a <= at && b <= started && c <= integral
        });
        if !grows {
            return wrong("a key's samples go back");
        }
        let Some(last) = samples.pop() else {
            return wrong("a key has no sample");
        };
        if last.at > line {
            return wrong("a key has a sample after the last report");
        }
        Ok(Self {
            held: count.held,
            running: count.running,
            raw_started: count.started,
            raw_integral: count.integral_ms,
            last,
            past: samples.into(),
        })
    }
}
