//! What other replicas say of their filter workers, while their streams last.

use wakegate_wire::v1;

use super::{standings::Standings, workers::Workers};

/// The place of one stream; it is given up on drop.
#[derive(Debug)]
pub(crate) struct PeerSeat {
    workers: Workers,
    stream: u64,
}

impl PeerSeat {
    /// A place of its own.
    ///
    /// # Errors
    /// Too many have one.
    pub(crate) fn take(workers: &Workers) -> Result<Self, &'static str> {
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
        self.workers
            .change_peers(|peers| peers.replace(self.stream, standings));
        Ok(())
    }
}

impl Drop for PeerSeat {
    fn drop(&mut self) {
        self.workers.change_peers(|peers| peers.close(self.stream));
    }
}
