//! What the other replicas are told, and what they tell.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use wakegate_core::{Applied, Instance, Key, LedgerError, Page, PeerId, PeerLoss, Report};
use wakegate_wire::{Bytes, v1};

use super::{Heard, Inner, Part, State, gauge};
use crate::ledgers::Subscription;

impl State {
    /// Subscribes a replica: to a page of each worker, and then to what that worker says.
    pub(crate) fn follow(&self) -> (Arc<Subscription>, Vec<u32>) {
        let mut inner = self.inner.lock();
        let workers: Vec<u32> = inner.ledger.workers().collect();
        let subscription = Arc::new(Subscription::new(workers.iter().copied()));
        inner.followers.push(Arc::downgrade(&subscription));
        (subscription, workers)
    }

    /// The page of a worker for a replica that follows: what the worker says from now on comes after it.
    pub(crate) fn page(&self, subscription: &Subscription, worker: u32) -> Option<Page> {
        let inner = self.inner.lock();
        subscription.has_page(worker);
        inner.ledger.page(worker, self.now())
    }

    /// The keys of all tables.
    pub(crate) fn tables(&self) -> Vec<Arc<std::collections::HashSet<Key>>> {
        self.inner.lock().ledger.tables()
    }

    /// What is to be known of the whole.
    pub(crate) fn whole(&self) -> v1::Whole {
        let inner = self.inner.lock();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        v1::Whole {
            heard_for_ms: millis(inner.ledger.heard_for(self.now())),
            horizon_ms: millis(inner.ledger.horizon()),
        }
    }

    /// Takes in what another replica heard, each some time ago.
    pub(crate) fn relayed(
        &self,
        peer: PeerId,
        reports: Vec<(Duration, Instance, Report)>,
    ) -> Result<(), LedgerError> {
        let now = self.now();
        let add_on = self.add_on.as_ref();
        let parts: Vec<_> = reports
            .iter()
            .filter_map(|(_, instance, report)| {
                add_on.map(|_| (instance.clone(), Part::of(report)))
            })
            .collect();
        let mut are_news = Vec::with_capacity(parts.len());
        let mut inner = self.inner.lock();
        for (age, instance, report) in reports {
            let at = now.saturating_sub(age);
            let applied = match inner.ledger.apply_relayed(at, peer, &instance, report) {
                Ok(applied) => applied,
                // It has moved, and been heard elsewhere.
                Err(LedgerError::EarlierLife) => Applied::default(),
                Err(error) => return Err(error),
            };
            inner.tell_all(&applied, now);
            are_news.push(applied.taken);
        }
        drop(inner);
        if let Some(add_on) = add_on {
            let mut add_on = add_on.lock();
            for ((instance, part), is_news) in parts.into_iter().zip(are_news) {
                if is_news {
                    add_on.count(now, &instance, part, Heard::Elsewhere);
                }
            }
        }
        Ok(())
    }

    /// Takes in a page of another replica.
    pub(crate) fn import(&self, peer: PeerId, page: Page) -> Result<(), LedgerError> {
        let now = self.now();
        let mut inner = self.inner.lock();
        let applied = inner.ledger.import(now, peer, page)?;
        inner.tell_all(&applied, now);
        Ok(())
    }

    /// Takes in the keys of a table.
    pub(crate) fn import_table(&self, keys: &[Key]) -> Result<(), LedgerError> {
        self.inner.lock().ledger.import_table(keys)
    }

    /// All pages and tables of another replica were taken in.
    pub(crate) fn adopt(&self, peer: PeerId, whole: v1::Whole) {
        let now = self.now();
        let v1::Whole {
            heard_for_ms,
            horizon_ms,
        } = whole;
        let (heard_for, horizon) = (
            Duration::from_millis(heard_for_ms),
            Duration::from_millis(horizon_ms),
        );
        let mut inner = self.inner.lock();
        inner.ledger.adopt(now, heard_for, horizon);
        inner.ledger.peers_mut().heard(peer, now);
        drop(inner);
        self.metrics.resynced();
    }

    /// Discovery names a replica.
    pub(crate) fn add_peer(&self, name: &str) -> PeerId {
        let now = self.now();
        self.inner.lock().ledger.peers_mut().add(now, name)
    }

    /// Discovery does not name it any more, or it is this one.
    pub(crate) fn remove_peer(&self, peer: PeerId) {
        self.change_peers(|peers, _| peers.remove(peer));
    }

    /// A replica said something.
    pub(crate) fn hear_peer(&self, peer: PeerId) {
        let now = self.now();
        self.inner.lock().ledger.peers_mut().heard(peer, now);
    }

    /// A replica is not heard any more.
    pub(crate) fn lose_peer(&self, peer: PeerId, loss: PeerLoss) {
        self.change_peers(|peers, now| peers.lost(peer, now, loss));
    }

    /// Whether all of what the other replicas know is here.
    pub(crate) fn is_complete(&self) -> bool {
        self.inner.lock().ledger.peers().is_complete()
    }

    /// Fires when workers are to come: what others know of them is here, or will not come soon.
    pub(crate) fn synced(&self) -> &CancellationToken {
        &self.synced
    }

    fn change_peers(&self, change: impl FnOnce(&mut wakegate_core::Peers, Duration)) {
        let now = self.now();
        let mut inner = self.inner.lock();
        change(inner.ledger.peers_mut(), now);
        let n_live = inner.ledger.n_live(now);
        drop(inner);
        self.metrics.workers.set(gauge(n_live));
    }
}

impl Inner {
    /// Whether some replica follows.
    pub(super) fn is_followed(&self) -> bool {
        !self.followers.is_empty()
    }

    /// Tells the replicas that follow.
    pub(super) fn relay(&mut self, now: Duration, applied: &Applied, report: &Bytes) {
        let is_urgent = !applied.newly_held.is_empty();
        let relay = |follower: &Weak<Subscription>| {
            let follower = follower.upgrade();
            follower.is_some_and(|follower| follower.push(now, applied.worker, is_urgent, report))
        };
        self.followers.retain(relay);
    }
}
