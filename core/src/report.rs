//! What one worker tells the scaler.

use std::{sync::Arc, time::Duration};

use crate::Key;

/// One life of one filter VM: a later `boot_id` of the same worker replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// The Envoy process: its `node.id`.
    pub proxy: Arc<str>,
    /// The ordinal of the VM in its proxy.
    pub worker: u32,
    /// When this life began, milliseconds on the proxy's clock.
    pub boot_id: u64,
}

/// The changes since the last report that was acked, or everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Grows by one with each report of an instance; a number seen before changes nothing.
    pub sequence: u64,
    /// Whether a key that is not named is zero: so it is in the first report of a stream.
    pub full: bool,
    /// The worker's clock, which the integrals refer to.
    pub now: Duration,
    /// The sum of [`Key::digest`] over the worker's table; 0 before the first table.
    pub known_digest: u64,
    /// The keys of the worker's table, when the scaler asked for them.
    pub known_keys: Option<Vec<Key>>,
    /// The keys that changed.
    pub keys: Vec<KeyReport>,
}

/// The numbers of one key in one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The key.
    pub key: Key,
    /// Requests held now.
    pub held: u32,
    /// Requests running now.
    pub running: u32,
    /// Requests that started since boot.
    pub started: u64,
    /// Requests that ended since boot.
    pub ended: u64,
    /// Of those that ended: refused for want of room.
    pub shed: u64,
    /// The time integral of held + running since boot, in request-milliseconds.
    pub integral_ms: u64,
}
