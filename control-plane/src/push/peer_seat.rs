//! What other replicas say of their filter workers, while their streams last.

use std::collections::BTreeMap;

use wakegate_wire::v1;

use super::{standings::Standings, workers::Workers};

/// Replicas that may speak at once, those that a rollout replaces among them.
const MAX_PEERS: usize = 64;

/// By stream: a replica that comes back may be there twice for a while.
#[derive(Debug, Default)]
pub(super) struct PeerStandings {
    by_stream: BTreeMap<u64, Standings>,
    last_stream: u64,
}

/// The place of one stream; it is given up on drop.
#[derive(Debug)]
pub(crate) struct PeerSeat {
    workers: Workers,
    stream: u64,
}

impl PeerStandings {
    fn open(&mut self) -> Option<u64> {
        if self.by_stream.len() >= MAX_PEERS {
            return None;
        }
        self.last_stream += 1;
        self.by_stream
            .insert(self.last_stream, Standings::default());
        Some(self.last_stream)
    }

    pub(super) fn add_to(&self, all: &mut Standings) {
        for standings in self.by_stream.values() {
            all.add_all(standings);
        }
    }
}

impl PeerSeat {
    pub(super) fn take(workers: &Workers) -> Result<Self, &'static str> {
        let mut opened = None;
        workers.change_peers(|peers| {
            opened = peers.open();
            // It has said nothing yet.
            false
        });
        let stream = opened.ok_or("too many replicas speak at once")?;
        let workers = workers.clone();
        Ok(Self { workers, stream })
    }

    /// Replaces what was said before.
    ///
    /// # Errors
    /// It is larger than any is allowed to be.
    pub(crate) fn tell(&self, message: v1::Standings) -> Result<(), String> {
        let standings = Standings::try_from(message)?;
        self.workers.change_peers(|peers| {
            let now = peers.by_stream.entry(self.stream).or_default();
            let is_new = *now != standings;
            *now = standings;
            is_new
        });
        Ok(())
    }
}

impl Drop for PeerSeat {
    fn drop(&mut self) {
        self.workers.change_peers(|peers| {
            let gone = peers.by_stream.remove(&self.stream);
            gone.is_some_and(|gone| gone != Standings::default())
        });
    }
}
