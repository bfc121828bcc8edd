//! The clients of a streaming server: how many streams they may have, and the end of those that are not read.
//!
//! A gRPC server asks a stream for its next message only when the client has room for it. A client that never
//! reads therefore costs what its stream keeps, for as long as it likes, and the stream cannot notice: it is
//! not asked. So it is looked at from outside.

mod guarded;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::Stream;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use self::guarded::Guarded;
use self::guarded::{Slot, Unread};

/// Every stream of ours has something to say each second; one that is not asked for so long is not read.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server waits for its clients after the shutdown. Streams end at once then; but the end of a stream
/// is also read by its client or not. Below what a daemon's drain may take.
const DRAIN: Duration = Duration::from_secs(5);

/// How many streams clients may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All together.
    pub total: usize,
    /// On one connection. A mesh carries many clients on one.
    pub per_connection: usize,
}

/// The streams of all clients of one service. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub struct Clients {
    shared: Arc<Shared>,
}

/// Why a client gets no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoPlace {
    /// All places are taken.
    #[error("there are {0} streams already, as many as are served")]
    Total(usize),
    /// All places of this connection are taken.
    #[error("this connection has {0} streams already, as many as one may have")]
    Connection(usize),
}

/// The place of one stream; it is given up on drop.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    connection: Option<SocketAddr>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    taken: Mutex<Taken>,
    guarded: Mutex<Vec<Weak<dyn Unread>>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// A connection is known by the address of its other end.
    by_connection: HashMap<SocketAddr, usize>,
}

impl Clients {
    /// Nobody yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                taken: Mutex::default(),
                guarded: Mutex::default(),
            }),
        }
    }

    /// A place for one more stream on the connection from `connection`.
    ///
    /// # Errors
    /// There is none left.
    pub fn admit(&self, connection: Option<SocketAddr>) -> Result<Place, NoPlace> {
        let Limits {
            total,
            per_connection,
        } = self.shared.limits;
        let mut taken = self.shared.taken.lock();
        if taken.total >= total {
            return Err(NoPlace::Total(taken.total));
        }
        if let Some(connection) = connection {
            let of_connection = taken.by_connection.entry(connection).or_default();
            if *of_connection >= per_connection {
                return Err(NoPlace::Connection(*of_connection));
            }
            *of_connection += 1;
        }
        taken.total += 1;
        Ok(Place {
            shared: Arc::clone(&self.shared),
            connection,
        })
    }

    /// The same stream, which keeps `place`, and ends in [`end_unread`](Self::end_unread).
    pub fn guard<S>(&self, place: Place, stream: S) -> Guarded<S>
    where
        S: Stream + Send + 'static,
    {
        let slot = Arc::new(Slot::new(stream));
        let unread: Weak<Slot<S>> = Arc::downgrade(&slot);
        self.shared.guarded.lock().push(unread);
        Guarded::new(slot, place)
    }

    /// Ends the streams that were not asked for anything for ten seconds: what they kept is freed at once, and
    /// their client reads an end, should it ever read. Returns their number. To be called each second.
    pub fn end_unread(&self) -> usize {
        let now = Instant::now();
        let mut n_ended = 0;
        // What ends may take its time, and others come meanwhile.
        let mut guarded = std::mem::take(&mut *self.shared.guarded.lock());
        guarded.retain(|stream| {
            let Some(stream) = stream.upgrade() else {
                return false;
            };
            let is_ended = stream.end_if_unread(now, PATIENCE);
            n_ended += usize::from(is_ended);
            !is_ended
        });
        self.shared.guarded.lock().append(&mut guarded);
        n_ended
    }
}

/// Runs a server to its end, which clients that do not read cannot put off for long after the shutdown.
///
/// # Errors
/// The server's own.
pub async fn serve_until<E>(
    server: impl Future<Output = Result<(), E>>,
    shutdown: CancellationToken,
) -> Result<(), E> {
    let given_up = async {
        shutdown.cancelled().await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        ended = server => ended,
        () = given_up => {
            tracing::warn!(limit = ?DRAIN, "clients that do not read are left");
            Ok(())
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shared.taken.lock();
        taken.total = taken.total.saturating_sub(1);
        let Some(connection) = self.connection else {
            return;
        };
        if let Some(of_connection) = taken.by_connection.get_mut(&connection) {
            *of_connection = of_connection.saturating_sub(1);
            if *of_connection == 0 {
                taken.by_connection.remove(&connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        total: 3,
        per_connection: 2,
    };

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_does_not_keep_a_server() {
        let shutdown = CancellationToken::new();
        let deaf = std::future::pending::<Result<(), NoPlace>>();
        let server = serve_until(deaf, shutdown.clone());
        let begin = Instant::now();
        let (ended, ()) = tokio::join!(server, async { shutdown.cancel() });
        assert_eq!((ended, begin.elapsed()), (Ok(()), DRAIN));
    }

    #[test]
    fn places_are_limited_and_come_back() {
        let from = |port: u16| Some(([127, 0, 0, 1], port).into());
        let clients = Clients::new(LIMITS);
        let first = clients.admit(from(1)).unwrap();
        let _second = clients.admit(from(1)).unwrap();
        assert_eq!(clients.admit(from(1)).unwrap_err(), NoPlace::Connection(2));
        let _third = clients.admit(from(2)).unwrap();
        assert_eq!(clients.admit(from(3)).unwrap_err(), NoPlace::Total(3));
        drop(first);
        let _again = clients.admit(from(1)).unwrap();
        assert_eq!(clients.shared.taken.lock().by_connection.len(), 2);
    }
}
