//! The table in Envoy's shared data: it outlives a VM, so that a new one starts from it and not from nothing. And the
//! list of the workers that share it.

use std::{iter, time::Duration};

use wakegate_core::{TableUpdate, Worker, sign_roll};
use wakegate_wire::{Assembler, Message as _, v1};

use crate::{host, shared::Shared};

/// Routes may change many times a second; a VM that dies does without the last second of them.
const INTERVAL: Duration = Duration::from_secs(1);

/// A table of 50,000 routes has about 15 MB. Beyond this a copy for each proxy costs more than a new VM
/// saves.
const MAX_BYTES: usize = 32 << 20;

/// What this root has written, or seen that others did.
#[derive(Debug, Default)]
pub(crate) struct TableStore {
    version: String,
    looked_at: Duration,
}

impl TableStore {
    /// Writes the table when it has changed, unless another worker of this proxy already did. Returns how many workers
    /// there are, once a second.
    pub(crate) fn poll(&mut self, now: Duration, shared: &Shared, ordinal: u32) -> Option<u32> {
        if now.saturating_sub(self.looked_at) < INTERVAL {
            return None;
        }
        self.looked_at = now;
        self.store(shared);
        let key = Keys::of(shared).workers;
        let (roll, cas) = host::shared(&key);
        let (roll, n_workers) = sign_roll(roll.as_deref().unwrap_or_default(), ordinal, now);
        // Where another was faster, the next time will do.
        host::set_shared(&key, &roll, cas);
        Some(n_workers)
    }

    fn store(&mut self, shared: &Shared) {
        let worker = shared.worker.borrow();
        let Some(version) = worker.version().filter(|version| *version != self.version) else {
            return;
        };
        version.clone_into(&mut self.version);
        let keys = Keys::of(shared);
        let (written, cas) = host::shared(&keys.version);
        let is_written = written.as_deref() == Some(version.as_bytes());
        if is_written || !host::set_shared(&keys.version, version.as_bytes(), cas) {
            return;
        }
        if let Some(table) = encode(&worker, version) {
            host::set_shared(&keys.table, &table, 0);
        }
    }
}

/// The whole table as one update; none when it is too large. Route by route, each of them a message with a
/// part of the same one: whole answers stand in routes that share them in the table, and the message as a
/// whole would have a copy for each.
fn encode(worker: &Worker, version: &str) -> Option<Vec<u8>> {
    let head = v1::Update {
        full: true,
        last: true,
        version: version.to_owned(),
        backends: worker.backends().map(v1::Backend::from).collect(),
        ..v1::Update::default()
    };
    let routes = worker.routes().map(|route| v1::Update {
        routes: vec![v1::Route::from(route)],
        ..v1::Update::default()
    });
    let mut bytes = Vec::new();
    for part in iter::once(head).chain(routes) {
        if bytes.len() + part.encoded_len() > MAX_BYTES {
            return None;
        }
        bytes.extend(part.encode_to_vec());
    }
    Some(bytes)
}

/// The table that another VM of this process left, if one did.
pub(crate) fn load(shared: &Shared) -> Option<TableUpdate> {
    let (table, _) = host::shared(&Keys::of(shared).table);
    let update = v1::Update::decode(&*table?).ok()?;
    Assembler::default().push(update).ok()?
}

/// Roots of different scope in one process have different tables.
struct Keys {
    version: String,
    table: String,
    workers: String,
}

impl Keys {
    fn of(shared: &Shared) -> Self {
        let scope = v1::Scope::from(&shared.config.scope).encode_to_vec();
        let scope = String::from_utf8_lossy(&scope).into_owned();
        let cluster = &shared.config.control_plane.cluster;
        Self {
            version: format!("wakegate.version.{cluster}.{scope}"),
            table: format!("wakegate.table.{cluster}.{scope}"),
            workers: format!("wakegate.workers.{cluster}.{scope}"),
        }
    }
}
