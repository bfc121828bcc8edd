//! Verdicts of the index, each with the snapshot that said it first.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    object::ObjectId,
    snapshot::{Map, Snapshot},
};

/// What the index says of each object, and since which snapshot: in a table that never rests no filter has the newest.
#[derive(Debug)]
pub(super) struct First<V>(BTreeMap<ObjectId, (Arc<V>, Arc<Snapshot>)>);

impl<V> Default for First<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> First<V> {
    /// Takes in what a snapshot says.
    pub(super) fn renew(&mut self, snapshot: &Arc<Snapshot>, verdicts: &Map<ObjectId, V>) {
        self.0.retain(|id, (verdict, _)| {
            let still = verdicts.get(id);
            still.is_some_and(|still| Arc::ptr_eq(still, verdict))
        });
        for (id, verdict) in verdicts {
            self.0
                .entry(id.clone())
                .or_insert_with(|| (Arc::clone(verdict), Arc::clone(snapshot)));
        }
    }

    pub(super) fn get(&self, id: &ObjectId) -> Option<&(Arc<V>, Arc<Snapshot>)> {
        self.0.get(id)
    }
}
