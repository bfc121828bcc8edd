//! A replica that follows tells the one that leads how far its filter workers are, so that what is written
//! waits for the filters of all replicas.

mod follow;
mod serve;

use std::time::Duration;

pub use self::follow::Follower;
pub use self::serve::Peers;

/// A replica says how it stands at least so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A replica that says nothing for so long is gone, and its workers are about to come elsewhere.
const SILENCE: Duration = Duration::from_secs(3);
