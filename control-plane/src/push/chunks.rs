//! A difference, cut into updates that are well below what a subscriber takes at once.

use std::{collections::VecDeque, sync::Arc};

use wakegate_core::{BackendId, RouteId};
use wakegate_wire::v1;

use super::view::Difference;
use crate::snapshot::{Entity, RouteEntry, Version};

/// The size of a part, but for one item that is larger. The protocol promises less than 1 MiB; much less keeps
/// short what a worker does in one go, and what waits here for each subscriber that reads slowly.
const CHUNK_BYTES: usize = 64 << 10;

/// What the framing of one item takes at the most: a tag and a length.
const ITEM_BYTES: usize = 8;

/// The updates of one difference, made one by one as they are sent.
#[derive(Debug)]
pub(super) struct Chunks {
    items: VecDeque<Item>,
    is_full: bool,
    version: Version,
    is_over: bool,
}

#[derive(Debug)]
enum Item {
    Route(Arc<RouteEntry>),
    RemovedRoute(RouteId),
    Backend(Arc<Entity<v1::Backend>>),
    RemovedBackend(BackendId),
    Workload(Arc<Entity<v1::Workload>>),
    RemovedWorkload(Arc<str>),
}

impl From<Difference> for Chunks {
    fn from(difference: Difference) -> Self {
        let mut items = VecDeque::new();
        items.extend(difference.routes.into_iter().map(Item::Route));
        items.extend(
            difference
                .removed_routes
                .into_iter()
                .map(Item::RemovedRoute),
        );
        items.extend(difference.backends.into_iter().map(Item::Backend));
        items.extend(
            difference
                .removed_backends
                .into_iter()
                .map(Item::RemovedBackend),
        );
        items.extend(difference.workloads.into_iter().map(Item::Workload));
        items.extend(
            difference
                .removed_workloads
                .into_iter()
                .map(Item::RemovedWorkload),
        );
        let Difference {
            is_full, version, ..
        } = difference;
        Self {
            items,
            is_full,
            version,
            is_over: false,
        }
    }
}

impl Iterator for Chunks {
    type Item = v1::Update;

    fn next(&mut self) -> Option<v1::Update> {
        if self.is_over {
            return None;
        }
        let mut update = v1::Update {
            full: self.is_full,
            ..v1::Update::default()
        };
        self.is_full = false;
        let mut n_bytes = 0;
        while let Some(item) = self.items.pop_front() {
            n_bytes += item.n_bytes() + ITEM_BYTES;
            // One item larger than a chunk goes alone.
            if n_bytes > CHUNK_BYTES && n_bytes > item.n_bytes() + ITEM_BYTES {
                self.items.push_front(item);
                return Some(update);
            }
            item.put(&mut update);
        }
        self.is_over = true;
        update.last = true;
        update.version = self.version.to_string();
        Some(update)
    }
}

impl Item {
    fn n_bytes(&self) -> usize {
        match self {
            Self::Route(route) => route.entity.n_bytes,
            Self::Backend(backend) => backend.n_bytes,
            Self::Workload(workload) => workload.n_bytes,
            Self::RemovedRoute(id) => id.as_str().len(),
            Self::RemovedBackend(id) => id.as_str().len(),
            Self::RemovedWorkload(id) => id.len(),
        }
    }

    fn put(self, update: &mut v1::Update) {
        match self {
            Self::Route(route) => update.routes.push(route.entity.message.clone()),
            Self::Backend(backend) => update.backends.push(backend.message.clone()),
            Self::Workload(workload) => update.workloads.push(workload.message.clone()),
            Self::RemovedRoute(id) => update.removed_routes.push(id.as_str().to_owned()),
            Self::RemovedBackend(id) => update.removed_backends.push(id.as_str().to_owned()),
            Self::RemovedWorkload(id) => update.removed_workloads.push(id.as_ref().to_owned()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use prost::Message as _;

    use super::*;
    use crate::snapshot::Tag;

    /// With so many bytes in it.
    pub(in crate::push) fn workload(n: usize, n_bytes: usize) -> Arc<Entity<v1::Workload>> {
        let (id, keys) = (format!("shop/Deployment/{n}"), vec!["x".repeat(n_bytes)]);
        Arc::new(Entity::new(
            Tag::Workload,
            v1::Workload {
                id,
                keys,
                ..v1::Workload::default()
            },
        ))
    }

    #[test]
    fn chunks_stay_below_the_limit_and_the_last_alone_has_the_version() {
        let workloads = (0..3_000).map(|n| workload(n, 1_000)).collect();
        let difference = Difference {
            is_full: true,
            workloads,
            ..Difference::default()
        };
        let updates: Vec<v1::Update> = Chunks::from(difference).collect();
        assert!(updates.len() > 40, "{}", updates.len());
        assert!(updates.iter().all(|update| update.encoded_len() < 70_000));
        let n_workloads: usize = updates.iter().map(|update| update.workloads.len()).sum();
        assert_eq!(n_workloads, 3_000);
        let flags = |update: &v1::Update| (update.full, update.last, !update.version.is_empty());
        let flags: Vec<_> = updates.iter().map(flags).collect();
        let (first, last) = (flags[0], flags[flags.len() - 1]);
        assert_eq!((first, last), ((true, false, false), (false, true, true)));
        assert!(
            flags[1..flags.len() - 1]
                .iter()
                .all(|flags| *flags == (false, false, false))
        );
    }

    #[test]
    fn a_difference_of_nothing_is_one_update() {
        let updates: Vec<v1::Update> = Chunks::from(Difference::default()).collect();
        let [update] = updates.as_slice() else {
            panic!("{updates:?}")
        };
        assert!(update.last && !update.full);
    }
}
