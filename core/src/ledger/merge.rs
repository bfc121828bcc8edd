//! Two ledgers become one: of each worker the later report counts, with all the history that it has.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{Ledger, Slot, count::Count, life::Life};
use crate::Key;

/// Everything that a ledger keeps of one worker, in an order that does not depend on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    life: Life,
    digest: u64,
    counts: BTreeMap<Key, Count>,
}

impl Ledger {
    /// Takes over what `other` knows better: of each worker the later life, and in one life the later
    /// report. Commutative, associative and idempotent; both must go by the same clock.
    pub fn merge(&mut self, other: &Self) {
        self.since = self.since.min(other.since);
        self.settling = self.settling.max(other.settling);
        self.horizon = self.horizon.max(other.horizon);
        self.known.merge(&other.known);
        for (id, life) in &other.lives {
            let mine = self.ids.get(&life.slot).copied();
            let is_better = mine.is_none_or(|mine| self.order(mine, other, *id).is_lt());
            if is_better && let Some(page) = other.page(*id) {
                self.put(mine, page);
            }
        }
    }

    /// Which of two pages of the same worker is the later one. The ties after the sequence number only
    /// matter when two ledgers heard the same report: any order does, as long as it is one.
    fn order(&self, mine: u32, other: &Self, theirs: u32) -> Ordering {
        let rank = |ledger: &Self, id: u32| {
            ledger.lives.get(&id).map(|life| {
                let digest = ledger.known.digest_of(id);
                (
                    life.boot_id,
                    life.sequence,
                    life.seen,
                    life.clock,
                    life.line,
                    !life.silent,
                    digest,
                )
            })
        };
        rank(self, mine).cmp(&rank(other, theirs)).then_with(|| {
            let counts = |ledger: &Self, id| ledger.page(id).map(|page| page.counts);
            counts(self, mine).cmp(&counts(other, theirs))
        })
    }

    fn page(&self, id: u32) -> Option<Page> {
        let life = self.lives.get(&id)?.clone();
        let count_of = |key: &Key| Some((key.clone(), self.counts.get(key)?.get(&id)?.clone()));
        let counts = life.keys.iter().filter_map(count_of).collect();
        Some(Page {
            life,
            digest: self.known.digest_of(id),
            counts,
        })
    }

    fn put(&mut self, mine: Option<u32>, page: Page) {
        if let Some(mine) = mine {
            self.remove(mine);
        }
        let id = self.free_id();
        self.ids.insert(page.life.slot.clone(), id);
        if !page.life.silent {
            self.known.refer(id, page.digest);
        }
        self.n_counts += page.counts.len();
        for (key, count) in page.counts {
            self.counts.entry(key).or_default().insert(id, count);
        }
        self.lives.insert(id, page.life);
    }

    fn pages(&self) -> BTreeMap<&Slot, Option<Page>> {
        self.ids
            .iter()
            .map(|(slot, id)| (slot, self.page(*id)))
            .collect()
    }
}

/// Equal in every answer, however they came to it.
impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        (self.since, self.settling, self.horizon, self.n_counts)
            == (other.since, other.settling, other.horizon, other.n_counts)
            && self.known.has_same_tables(&other.known)
            && self.pages() == other.pages()
    }
}

impl Eq for Ledger {}
