//! Two ledgers become one: of each worker the later report counts, with all the history that it has.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{
    Ledger, Slot,
    count::Count,
    life::{Life, Via},
};
use crate::Key;

/// Everything that a ledger keeps of one worker, in an order that does not depend on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) life: Life,
    pub(super) digest: u64,
    pub(super) counts: BTreeMap<Key, Count>,
}

impl Ledger {
    /// Takes over what `other` knows better: of each worker the later life, and in one life the later
    /// report. Commutative, associative and idempotent; both must go by the same clock.
    pub fn merge(&mut self, other: &Self) {
        self.since = self.since.min(other.since);
        self.settling = self.settling.max(other.settling);
        self.horizon = self.horizon.max(other.horizon);
        self.known.merge(&other.known);
        for leaf in other.lives.keys().filter_map(|id| other.leaf(*id)) {
            if self.is_later(&leaf) {
                self.put(leaf);
            }
        }
    }

    /// Whether `leaf` is later than what is here of the same worker. The ties after the sequence number only
    /// matter when two ledgers heard the same report: the longer time line is that of the ledger that has heard the
    /// worker for longer, and beyond that any order does, as long as it is one.
    pub(super) fn is_later(&self, leaf: &Leaf) -> bool {
        let Some(mine) = self.ids.get(&leaf.life.slot).copied() else {
            return true;
        };
        let Some(life) = self.lives.get(&mine) else {
            return true;
        };
        let rank = |life: &Life, digest: u64| {
            (
                life.boot_id,
                life.sequence,
                life.line,
                life.seen,
                life.clock,
                !life.silent,
                digest,
            )
        };
        let order = rank(life, self.known.digest_of(mine)).cmp(&rank(&leaf.life, leaf.digest));
        match order {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => self.leaf(mine).is_none_or(|mine| mine.counts < leaf.counts),
        }
    }

    fn leaf(&self, id: u32) -> Option<Leaf> {
        let life = self.lives.get(&id)?.clone();
        let count_of = |key: &Key| Some((key.clone(), self.counts.get(key)?.get(&id)?.clone()));
        let counts = life.keys.iter().filter_map(count_of).collect();
        Some(Leaf {
            life,
            digest: self.known.digest_of(id),
            counts,
        })
    }

    /// Puts it in the place of what is here of the worker, whose number stays.
    pub(super) fn put(&mut self, leaf: Leaf) -> u32 {
        let mine = self.ids.get(&leaf.life.slot).copied();
        if let Some(mine) = mine {
            self.remove(mine);
        }
        let id = mine.unwrap_or_else(|| self.free_id());
        self.ids.insert(leaf.life.slot.clone(), id);
        if !leaf.life.silent {
            self.known.refer(id, leaf.digest);
        }
        self.n_counts += leaf.counts.len();
        for (key, count) in leaf.counts {
            self.counts.entry(key).or_default().insert(id, count);
        }
        self.lives.insert(id, leaf.life);
        id
    }

    fn leaves(&self) -> BTreeMap<&Slot, Option<Leaf>> {
        // Who heard a worker is no part of any answer.
        let leaf = |id| {
            let mut leaf = self.leaf(id)?;
            leaf.life.via = Via::Here;
            Some(leaf)
        };
        self.ids
            .iter()
            .map(|(slot, id)| (slot, leaf(*id)))
            .collect()
    }
}

/// Equal in every answer, however they came to it.
impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        (self.since, self.settling, self.horizon, self.n_counts)
            == (other.since, other.settling, other.horizon, other.n_counts)
            && self.known.has_same_tables(&other.known)
            && self.leaves() == other.leaves()
    }
}

impl Eq for Ledger {}
