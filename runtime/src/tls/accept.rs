//! Connections of clients. Handshakes go on side by side, and none of them keeps another from its own.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::FuturesUnordered,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::TcpIncoming;

use super::{Connection, Peer, Tls, Transport, certificate::Facts, peer::Certified, refused};

/// How long a handshake may take. A client that is far away needs some tenths of a second; but when all come at
/// once, after a restart, the last one waits for the others.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way: all workers that one daemon is built for may come back at once.
const MAX_HANDSHAKES: usize = 4_096;

/// The connections of clients, for [`serve_with_incoming_shutdown`].
///
/// [`serve_with_incoming_shutdown`]: tonic::transport::server::Router::serve_with_incoming_shutdown
pub struct Incoming {
    listener: TcpIncoming,
    transport: Transport,
    handshakes: FuturesUnordered<BoxFuture<'static, Option<Connection>>>,
}

impl Transport {
    /// The connections that come to `listener`.
    pub fn incoming(&self, listener: TcpListener) -> Incoming {
        Incoming {
            // What is sent is small and waited for.
            listener: TcpIncoming::from(listener).with_nodelay(Some(true)),
            transport: self.clone(),
            handshakes: FuturesUnordered::new(),
        }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Connection>>> {
        // Both loops end: tokio has a task pause that has done much.
        while let Poll::Ready(accepted) = self.listener.poll_next_unpin(context) {
            let stream = match accepted {
                Some(Ok(stream)) => stream,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            match &self.transport {
                Transport::PlainText => {
                    return Poll::Ready(Some(Ok(Connection::plain_text(stream))));
                }
                Transport::Tls(tls) if self.handshakes.len() < MAX_HANDSHAKES => {
                    let handshake = tls.clone().handshake(stream).boxed();
                    self.handshakes.push(handshake);
                }
                Transport::Tls(tls) => {
                    let error = "there are as many handshakes as there may be";
                    tls.refuse(refused::HANDSHAKES, stream.peer_addr().ok(), &error);
                }
            }
        }
        while let Poll::Ready(Some(ended)) = self.handshakes.poll_next_unpin(context) {
            if let Some(connection) = ended {
                return Poll::Ready(Some(Ok(connection)));
            }
        }
        Poll::Pending
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("listener", &self.listener)
            .field("n_handshakes", &self.handshakes.len())
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Hears who it is; none when that is nobody whom this serves.
    async fn handshake(self, stream: TcpStream) -> Option<Connection> {
        let address = stream.peer_addr().ok();
        match timeout(HANDSHAKE_LIMIT, self.accept(stream)).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(stream))) => {
                let peer = self.peer(address, &stream);
                Some(Connection::tls(stream, peer))
            }
            Ok(Err(error)) => {
                self.refuse(refused::reason(&error), address, &error);
                None
            }
            Err(_) => {
                let error = format!("no handshake in {HANDSHAKE_LIMIT:?}");
                self.refuse(refused::HANDSHAKE, address, &error);
                None
            }
        }
    }

    /// None when the client leaves before it says anything: who probes a port does nothing wrong.
    async fn accept(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        if !matches!(stream.peek(&mut [0]).await, Ok(1..)) {
            return Ok(None);
        }
        // What is in force by now: a client may have taken its time.
        let acceptor = TlsAcceptor::from(self.server());
        acceptor.accept(stream).await.map(Some)
    }

    fn peer(&self, address: Option<SocketAddr>, stream: &TlsStream<TcpStream>) -> Peer {
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let facts = certificate.and_then(|certificate| Facts::of(certificate).ok());
        // Without names there is no role.
        let names = facts.map(|facts| facts.names).unwrap_or_default();
        let certified = Certified {
            roles: self.allowed().roles_of(&names),
            names,
            refusals: self.metrics().refusals.clone(),
        };
        Peer::certified(address, certified)
    }

    fn refuse(&self, reason: &'static str, address: Option<SocketAddr>, error: &dyn fmt::Display) {
        let from = address.map(|address| address.to_string());
        let from = from.unwrap_or_default();
        let refusals = &self.metrics().refusals;
        refusals.refuse_connection(reason, &from, &error.to_string());
    }
}
