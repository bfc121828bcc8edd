//! Which keys each worker's table has, stored once for all workers that have the same table.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::LedgerError;
use crate::Key;

/// Keys of all different tables together, at about 100 bytes each. Workers of one scope share a table.
const MAX_KNOWN: usize = 1_000_000;

/// How long one worker is given to name its keys before another that has the same table is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The tables of all workers, by digest.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    tables: HashMap<u64, Arc<HashSet<Key>>>,
    /// Which workers have a table, known or not.
    holders: HashMap<u64, BTreeSet<u32>>,
    of: HashMap<u32, u64>,
    /// The table that all workers without a scope have, by what the control plane says.
    expected: u64,
    /// When a worker was last asked for the keys of a table. Thousands may have it: one is enough.
    asked: HashMap<u64, Duration>,
}

impl Known {
    /// Stores the keys of a table.
    pub(super) fn learn(&mut self, digest: u64, keys: &[Key]) -> Result<(), LedgerError> {
        let set: HashSet<Key> = keys.iter().cloned().collect();
        if sum(&set) != digest {
            return Err(LedgerError::WrongDigest);
        }
        if digest == 0 || self.tables.contains_key(&digest) {
            return Ok(());
        }
        let n_known: usize = self.tables.values().map(|table| table.len()).sum();
        if n_known + set.len() > MAX_KNOWN {
            return Err(LedgerError::TooManyTables);
        }
        self.tables.insert(digest, Arc::new(set));
        self.asked.remove(&digest);
        Ok(())
    }

    /// All tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<HashSet<Key>>> {
        self.tables.values()
    }

    /// Stores the keys of the table that most workers will have.
    pub(super) fn expect<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        let set: HashSet<Key> = keys.into_iter().cloned().collect();
        self.expected = sum(&set);
        if self.expected != 0 {
            self.tables
                .entry(self.expected)
                .or_insert_with(|| Arc::new(set));
        }
    }

    /// Whether this worker should be asked for the keys of its table.
    pub(super) fn wants(&mut self, now: Duration, digest: u64) -> bool {
        if digest == 0 || self.tables.contains_key(&digest) {
            return false;
        }
        let asked = self.asked.get(&digest);
        let is_due = asked.is_none_or(|asked| now.saturating_sub(*asked) >= PATIENCE);
        if is_due {
            self.asked.insert(digest, now);
        }
        is_due
    }

    /// Notes which table a worker has, and says whether it is another one than before.
    pub(super) fn refer(&mut self, id: u32, digest: u64) -> bool {
        if self.of.get(&id) == Some(&digest) {
            return false;
        }
        self.release(id);
        self.of.insert(id, digest);
        self.holders.entry(digest).or_default().insert(id);
        true
    }

    /// Forgets which table a worker has.
    pub(super) fn release(&mut self, id: u32) {
        let Some(digest) = self.of.remove(&id) else {
            return;
        };
        if let Some(holders) = self.holders.get_mut(&digest) {
            holders.remove(&id);
            if holders.is_empty() {
                self.holders.remove(&digest);
            }
        }
    }

    /// The workers whose table has `key`.
    pub(super) fn holders(&self, key: &Key) -> impl Iterator<Item = u32> {
        self.tables
            .iter()
            .filter(|(_, table)| table.contains(key))
            .filter_map(|(digest, _)| self.holders.get(digest))
            .flatten()
            .copied()
    }

    /// The digest of a worker's table; 0 for none.
    pub(super) fn digest_of(&self, id: u32) -> u64 {
        self.of.get(&id).copied().unwrap_or_default()
    }

    /// Forgets the tables that no worker has.
    pub(super) fn prune(&mut self) {
        let (holders, expected) = (&self.holders, self.expected);
        self.tables
            .retain(|digest, _| *digest == expected || holders.contains_key(digest));
        self.asked.retain(|digest, _| holders.contains_key(digest));
    }

    /// Whether both have the keys of the same tables.
    pub(super) fn has_same_tables(&self, other: &Self) -> bool {
        self.tables == other.tables
    }

    /// Takes over the tables that another has. Equal digests are equal tables.
    pub(super) fn merge(&mut self, other: &Self) {
        for (digest, table) in &other.tables {
            self.tables
                .entry(*digest)
                .or_insert_with(|| Arc::clone(table));
        }
    }
}

fn sum(keys: &HashSet<Key>) -> u64 {
    keys.iter()
        .fold(0, |sum, key| sum.wrapping_add(key.digest()))
}
