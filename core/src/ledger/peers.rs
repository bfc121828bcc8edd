//! Which other replicas are heard. Silence of a replica is not idleness of its workers.

use std::{collections::BTreeMap, time::Duration};

use super::life::Via;

/// A replica that is heard says something each half second; one that said nothing for so long is not heard.
const MOMENT: Duration = Duration::from_secs(2);

/// A replica that went leaves an address at which nobody answers any more, for as long as its name is still given
/// out: that much does not make it one that is there and cannot be heard.
const GONE_FOR: Duration = Duration::from_secs(30);

/// The other replicas, as discovery names them.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    by_id: BTreeMap<PeerId, Peer>,
    next: u32,
}

/// A replica, for as long as discovery names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(u32);

/// How a replica was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerLoss {
    /// It said that it ends, or its address refuses connections: its workers go to others.
    Gone,
    /// Anything else: it may be there, with workers that say something.
    Cut,
}

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its whole ledger was taken in, and this is when it was heard last.
    Heard(Duration),
    /// Not heard since.
    Awaited(Duration),
    /// By what was seen last.
    Gone(Duration),
}

impl Peers {
    /// Discovery names one more.
    pub fn add(&mut self, now: Duration, name: &str) -> PeerId {
        let id = PeerId(self.next);
        self.next = self.next.wrapping_add(1);
        let peer = Peer {
            name: name.to_owned(),
            standing: Standing::Awaited(now),
        };
        self.by_id.insert(id, peer);
        id
    }

    /// Discovery does not name it any more, or it turned out to be this replica itself.
    pub fn remove(&mut self, id: PeerId) {
        self.by_id.remove(&id);
    }

    /// It said something, and its whole ledger was taken in.
    pub fn heard(&mut self, id: PeerId, now: Duration) {
        if let Some(peer) = self.by_id.get_mut(&id) {
            peer.standing = Standing::Heard(now);
        }
    }

    /// It is not heard any more, or could not be reached.
    pub fn lost(&mut self, id: PeerId, now: Duration, loss: PeerLoss) {
        let Some(peer) = self.by_id.get_mut(&id) else {
            return;
        };
        peer.standing = match (loss, peer.standing) {
            (PeerLoss::Gone, _) => Standing::Gone(now),
            (PeerLoss::Cut, Standing::Gone(since)) if now.saturating_sub(since) <= GONE_FOR => {
                peer.standing
            }
            (PeerLoss::Cut, Standing::Gone(_)) => Standing::Awaited(now),
            (PeerLoss::Cut, Standing::Heard(since) | Standing::Awaited(since)) => {
                Standing::Awaited(since)
            }
        };
    }

    /// The name of one that is not heard, while its workers may say something.
    pub fn unheard(&self, now: Duration) -> Option<&str> {
        let mut peers = self.by_id.values();
        peers
            .find(|peer| peer.unheard_since(now).is_some())
            .map(|peer| peer.name.as_str())
    }

    /// How many are heard, are not heard, and are gone.
    pub fn count(&self, now: Duration) -> [usize; 3] {
        let mut counts = [0; 3];
        let [heard, unheard, gone] = &mut counts;
        for peer in self.by_id.values() {
            match peer.standing {
                Standing::Gone(_) => *gone += 1,
                Standing::Heard(_) if peer.unheard_since(now).is_none() => *heard += 1,
                Standing::Heard(_) | Standing::Awaited(_) => *unheard += 1,
            }
        }
        counts
    }

    /// Whether of each the whole ledger is here, or it is gone.
    pub fn is_complete(&self) -> bool {
        let mut peers = self.by_id.values();
        peers.all(|peer| !matches!(peer.standing, Standing::Awaited(_)))
    }

    /// The time that numbers go by that came this way: it stands still while the replica is not heard.
    pub(super) fn clock(&self, via: Via, now: Duration) -> Duration {
        let since = match via {
            Via::Here => None,
            Via::Peer(id) => self.by_id.get(&id).and_then(|peer| peer.unheard_since(now)),
            Via::Hearsay => {
                let peers = self.by_id.values();
                peers.filter_map(|peer| peer.unheard_since(now)).min()
            }
        };
        since.unwrap_or(now)
    }
}

impl Peer {
    fn unheard_since(&self, now: Duration) -> Option<Duration> {
        match self.standing {
            Standing::Heard(at) | Standing::Awaited(at) => {
                (now.saturating_sub(at) > MOMENT).then_some(at)
            }
            Standing::Gone(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// A replica that was heard at 10 s.
    fn heard() -> (Peers, PeerId) {
        let mut peers = Peers::default();
        let id = peers.add(secs(9), "b");
        peers.heard(id, secs(10));
        (peers, id)
    }

    #[test]
    fn a_replica_that_is_named_is_awaited_until_its_whole_ledger_is_here() {
        let mut peers = Peers::default();
        assert!(peers.is_complete() && peers.unheard(secs(100)).is_none());
        let id = peers.add(secs(100), "b");
        assert!(!peers.is_complete());
        assert_eq!(peers.unheard(secs(102)), None, "a moment");
        assert_eq!(peers.unheard(secs(103)), Some("b"));
        peers.heard(id, secs(104));
        assert!(peers.is_complete() && peers.unheard(secs(106)).is_none());
    }

    #[test]
    fn of_a_replica_that_is_silent_or_cut_off_time_stands_still() {
        let (mut peers, id) = heard();
        let via = Via::Peer(id);
        assert_eq!(peers.clock(via, secs(12)), secs(12));
        assert_eq!(peers.clock(via, secs(13)), secs(10));
        peers.lost(id, secs(14), PeerLoss::Cut);
        assert_eq!(peers.clock(via, secs(99)), secs(10));
        assert_eq!(peers.clock(Via::Hearsay, secs(99)), secs(10));
        assert_eq!(peers.clock(Via::Here, secs(99)), secs(99));
        assert_eq!(peers.count(secs(99)), [0, 1, 0]);
        peers.heard(id, secs(100));
        assert_eq!(peers.clock(via, secs(100)), secs(100));
        assert_eq!(peers.count(secs(100)), [1, 0, 0]);
    }

    #[test]
    fn time_goes_on_for_one_that_is_gone_or_not_named_any_more() {
        for is_named in [false, true] {
            let (mut peers, id) = heard();
            peers.lost(id, secs(13), PeerLoss::Cut);
            assert_eq!(peers.unheard(secs(20)), Some("b"));
            if is_named {
                peers.lost(id, secs(20), PeerLoss::Gone);
            } else {
                peers.remove(id);
            }
            assert_eq!(peers.unheard(secs(20)), None);
            assert_eq!(peers.clock(Via::Peer(id), secs(20)), secs(20));
            assert!(peers.is_complete());
        }
    }

    #[test]
    fn one_that_went_is_not_missed_for_the_time_that_its_name_is_still_given_out() {
        let (mut peers, id) = heard();
        peers.lost(id, secs(20), PeerLoss::Gone);
        peers.lost(id, secs(50), PeerLoss::Cut);
        assert_eq!(peers.unheard(secs(59)), None);
        peers.lost(id, secs(60), PeerLoss::Cut);
        assert_eq!(peers.unheard(secs(63)), Some("b"), "it may be back");
    }
}
