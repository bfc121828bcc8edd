//! The table as it is handed on: whole, immutable, with the few last changes that led to it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

use prost::Message;
use rpds::RedBlackTreeMapSync;
use sha2::{Digest as _, Sha256};
use wakegate_core::{BackendId, RouteId};
use wakegate_wire::v1;

use crate::{
    index::{Origin, ServiceEndpoints, ServiceId},
    object::{Finding, ObjectId},
    wanted::{AddOnVerdict, PolicyVerdict, WantedScaledObject},
};

/// Changes that are remembered. A subscriber further behind gets everything: at a hundred changes in a second this
/// is as long as it may take for its ack, so that who is slow is not sent whole tables one after the other.
const HISTORY: usize = 1_024;

/// Ids that these changes may name together, each at about 100 bytes.
const HISTORY_IDS: usize = 100_000;

/// A map of which two versions share all but what differs: subscribers keep the last one while the next is
/// made, and one change among many thousand entries must not copy them.
pub type Map<K, V> = RedBlackTreeMapSync<K, Arc<V>>;

/// One state of everything that is pushed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with each change; means nothing outside of this process.
    pub sequence: u64,
    /// The routes.
    pub routes: Map<RouteId, RouteEntry>,
    /// The backends that routes lead to.
    pub backends: Map<BackendId, Entity<v1::Backend>>,
    /// How many of them have a ready endpoint.
    pub n_ready_backends: usize,
    /// The workloads behind them, by id.
    pub workloads: Map<Arc<str>, Entity<v1::Workload>>,
    /// The ScaledObjects that should be there, by the workload's id.
    pub scaled_objects: Map<Arc<str>, WantedScaledObject>,
    /// The snapshot in which any of them came, went or differed last.
    pub scaled_objects_since: u64,
    /// What became of each WakePolicy.
    pub policies: Map<ObjectId, PolicyVerdict>,
    /// What became of each InterceptorRoute and HTTPScaledObject.
    pub add_ons: Map<ObjectId, AddOnVerdict>,
    /// The endpoints of every Service, routed to or not.
    pub services: Map<ServiceId, ServiceEndpoints>,
    /// What is wrong with which object.
    pub findings: Arc<BTreeSet<Finding>>,
    /// Of these what the source found wrong with the newest version of an object, which is not read for it.
    pub refused: Arc<BTreeMap<ObjectId, Finding>>,
    /// The last changes, the newest last.
    pub recent: VecDeque<Arc<Changed>>,
}

/// A route, and what decides who gets it.
#[derive(Debug)]
pub struct RouteEntry {
    /// The route.
    pub entity: Entity<v1::Route>,
    /// The object that it comes from.
    pub object: ObjectId,
    /// The field of it.
    pub field: Arc<str>,
    /// Where it belongs.
    pub origin: Arc<Origin>,
    /// Whether that object leads to one of our backends. What does not is here to take requests from
    /// routes that do.
    pub is_ours: bool,
    /// The backends that it leads to.
    pub backends: Vec<BackendId>,
    /// Of a route that overlays those of others: who else has its hosts, one for each, or one where it is for every
    /// host. None where nobody has any.
    pub claims: Vec<Claims>,
}

/// Who else has a host of a route that overlays those of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Objects of other namespaces that lead elsewhere.
    pub others: Vec<Arc<Origin>>,
    /// Objects that lead to the route's Service, or are of its namespace.
    pub friends: Vec<Arc<Origin>>,
}

impl RouteEntry {
    /// What of it is in a table that has the objects that `has` says: all but the hosts that others alone have there;
    /// nothing where no host is left.
    pub fn part_in(self: &Arc<Self>, has: impl Fn(&Origin) -> bool) -> Option<Arc<Self>> {
        if !has(&self.origin) {
            return None;
        }
        let is_taken = |claims: &Claims| {
            let any = |of: &[Arc<Origin>]| of.iter().any(|origin| has(origin));
            any(&claims.others) && !any(&claims.friends)
        };
        if !self.claims.iter().any(is_taken) {
            return Some(Arc::clone(self));
        }
        let hosts = self.entity.message.hosts.iter().zip(&self.claims);
        let hosts = hosts.filter(|(_, claims)| !is_taken(claims));
        let hosts: Vec<String> = hosts.map(|(host, _)| host.clone()).collect();
        if hosts.is_empty() {
            return None;
        }
        let message = v1::Route {
            hosts,
            ..self.entity.message.clone()
        };
        Some(Arc::new(Self {
            entity: Entity::new(Tag::Route, message),
            object: self.object.clone(),
            field: Arc::clone(&self.field),
            origin: Arc::clone(&self.origin),
            is_ours: self.is_ours,
            backends: self.backends.clone(),
            claims: Vec::new(),
        }))
    }
}

/// A message with its digest and its size, both of which are needed more often than it changes.
#[derive(Debug)]
pub struct Entity<M> {
    /// The message.
    pub message: M,
    /// Its share in the version of a table.
    pub digest: Version,
    /// Its size on the wire.
    pub n_bytes: usize,
}

/// The ids of what differs between a snapshot and the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The snapshot that has the change.
    pub sequence: u64,
    /// Routes that came, went or differ.
    pub routes: BTreeSet<RouteId>,
    /// Backends.
    pub backends: BTreeSet<BackendId>,
    /// Workloads.
    pub workloads: BTreeSet<Arc<str>>,
    /// Services whose endpoints differ.
    pub services: BTreeSet<ServiceId>,
}

/// A digest of the content of a table: the sum of those of its entities, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u128);

/// What an entity is, so that two of different kinds never have one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A route.
    Route,
    /// A backend.
    Backend,
    /// A workload.
    Workload,
}

impl Snapshot {
    /// All that changed since the snapshot `sequence`; none if that is too long ago.
    pub fn changed_since(&self, sequence: u64) -> Option<Changed> {
        let n_steps = usize::try_from(self.sequence.checked_sub(sequence)?).ok()?;
        let first = self.recent.len().checked_sub(n_steps)?;
        let mut all = Changed {
            sequence: self.sequence,
            ..Changed::default()
        };
        for changed in self.recent.iter().skip(first) {
            all.routes.extend(changed.routes.iter().cloned());
            all.backends.extend(changed.backends.iter().cloned());
            all.workloads.extend(changed.workloads.iter().cloned());
            all.services.extend(changed.services.iter().cloned());
        }
        Some(all)
    }
}

impl Changed {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        let Self {
            sequence: _,
            routes,
            backends,
            workloads,
            services,
        } = self;
        routes.is_empty() && backends.is_empty() && workloads.is_empty() && services.is_empty()
    }
}

/// Changes in a row, the newest last.
pub trait Remembered {
    /// How many ids it names.
    fn n_ids(&self) -> usize;
}

/// Adds what is the newest, and forgets the oldest beyond what is remembered.
pub fn remember<T: Remembered>(recent: &mut VecDeque<T>, newest: T) {
    recent.push_back(newest);
    let mut n_ids: usize = recent.iter().map(Remembered::n_ids).sum();
    while recent.len() > HISTORY || n_ids > HISTORY_IDS {
        let Some(oldest) = recent.pop_front() else {
            return;
        };
        n_ids -= oldest.n_ids();
    }
}

impl Remembered for Arc<Changed> {
    fn n_ids(&self) -> usize {
        self.routes.len() + self.backends.len() + self.workloads.len() + self.services.len()
    }
}

impl<M: Message> Entity<M> {
    /// Measures and digests a message.
    pub fn new(tag: Tag, message: M) -> Self {
        let bytes = message.encode_to_vec();
        let hash = Sha256::new()
            .chain_update([tag.byte()])
            .chain_update(&bytes)
            .finalize();
        let half = hash
            .iter()
            .take(16)
            .fold(0, |half, byte| (half << 8) | u128::from(*byte));
        Self {
            message,
            digest: Version(half),
            n_bytes: bytes.len(),
        }
    }
}

impl Version {
    /// The version after an entity came.
    #[must_use]
    pub fn with(self, digest: Self) -> Self {
        Self(self.0.wrapping_add(digest.0))
    }

    /// The version after an entity went.
    #[must_use]
    pub fn without(self, digest: Self) -> Self {
        Self(self.0.wrapping_sub(digest.0))
    }
}

impl Version {
    /// A version as it is written; none for what none is written as.
    pub fn parse(text: &str) -> Option<Self> {
        // A sign would do for the number.
        let is_whole = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok()?;
        is_whole.then_some(Self(number))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Tag {
    fn byte(self) -> u8 {
        match self {
            Self::Route => b'r',
            Self::Backend => b'b',
            Self::Workload => b'w',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(n_routes: usize) -> Arc<Changed> {
        let ids = (0..n_routes).map(|n| RouteId::from(n.to_string().as_str()));
        Arc::new(Changed {
            routes: ids.collect(),
            ..Changed::default()
        })
    }

    #[test]
    fn many_small_changes_are_remembered_and_few_large_ones() {
        let (mut small, mut large) = (VecDeque::new(), VecDeque::new());
        for _ in 0..2 * HISTORY {
            remember(&mut small, changed(1));
        }
        assert_eq!(small.len(), HISTORY);
        for _ in 0..4 {
            remember(&mut large, changed(HISTORY_IDS / 2));
        }
        assert_eq!(large.len(), 2);
        remember(&mut large, changed(HISTORY_IDS + 1));
        assert!(large.is_empty());
    }

    #[test]
    fn a_version_is_read_as_it_is_written() {
        let version = Version(0xab << 64);
        assert_eq!(Version::parse(&version.to_string()), Some(version));
        for wrong in ["", "0", "+0000000000000000000000000000000", "newest"] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
    }
}
