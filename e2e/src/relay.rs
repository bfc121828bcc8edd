//! The network between two programs, in a test's hands: TCP connections pass through here, and are
//! delayed, stalled or cut when told so. Nothing of it needs rights that a user does not have.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use crate::background::Background;

/// What one direction of one connection may have under way. With a delay this bounds the throughput:
/// so many chunks for each delay.
const N_CHUNKS: usize = 256;
/// One read.
const CHUNK_BYTES: usize = 16 * 1024;

/// What happens to bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// They arrive at once.
    Pass,
    /// Every byte arrives so much later, in both directions.
    Delay(Duration),
    /// Connections stay and are accepted, but nothing arrives: the server hangs, or the network lost its
    /// packets. What was sent arrives when this ends.
    Stall,
    /// Connections are reset, new ones as soon as they are accepted.
    Cut,
}

/// A relay to one address.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    conduct: watch::Sender<Conduct>,
    _task: Background,
}

impl Relay {
    /// Starts one on a free port of the loopback device. Nobody needs to listen on `target` yet.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let address = listener.local_addr().context("ask for the bound address")?;
        let (conduct, told) = watch::channel(Conduct::Pass);
        Ok(Self {
            address,
            conduct,
            _task: Background::start(accept(listener, target, told)),
        })
    }

    /// Where to connect instead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, for connections that there are and for new ones.
    pub fn conduct(&self, conduct: Conduct) {
        self.conduct.send_replace(conduct);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, told: watch::Receiver<Conduct>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => { connections.spawn(connect(client, target, told.clone())); }
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    time::sleep(Duration::from_millis(10)).await;
                }
            },
        }
    }
}

/// One connection, from its begin to its end. Whatever is no orderly end resets both sides.
async fn connect(mut client: TcpStream, target: SocketAddr, mut told: watch::Receiver<Conduct>) {
    let mut cut = told.clone();
    let mut server = None;
    let relayed = async {
        wait_while(&mut told, |conduct| *conduct == Conduct::Stall).await?;
        let server = server.insert(TcpStream::connect(target).await?);
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::try_join!(
            carry(from_client, to_server, told.clone()),
            carry(from_server, to_client, told.clone()),
        )
    };
    let is_orderly = tokio::select! {
        biased;
        _ = cut.wait_for(|conduct| *conduct == Conduct::Cut) => false,
        ended = relayed => ended.is_ok(),
    };
    if !is_orderly {
        for stream in [Some(&client), server.as_ref()].into_iter().flatten() {
            // Fails only where the connection is gone already.
            drop(stream.set_zero_linger());
        }
    }
}

/// One direction, until its sender ends it.
async fn carry(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    told: watch::Receiver<Conduct>,
) -> io::Result<()> {
    let (sender, chunks) = mpsc::channel(N_CHUNKS);
    tokio::try_join!(take(from, sender, told.clone()), give(to, chunks, told))?;
    Ok(())
}

async fn take(
    mut from: ReadHalf<'_>,
    chunks: mpsc::Sender<(Instant, Bytes)>,
    told: watch::Receiver<Conduct>,
) -> io::Result<()> {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        if from.read_buf(&mut chunk).await? == 0 {
            return Ok(());
        }
        let delay = match *told.borrow() {
            Conduct::Delay(delay) => delay,
            Conduct::Pass | Conduct::Stall | Conduct::Cut => Duration::ZERO,
        };
        let sent = chunks.send((Instant::now() + delay, chunk.freeze()));
        sent.await.map_err(io::Error::other)?;
    }
}

async fn give(
    mut to: WriteHalf<'_>,
    mut chunks: mpsc::Receiver<(Instant, Bytes)>,
    mut told: watch::Receiver<Conduct>,
) -> io::Result<()> {
    while let Some((due, chunk)) = chunks.recv().await {
        time::sleep_until(due).await;
        wait_while(&mut told, |conduct| *conduct == Conduct::Stall).await?;
        to.write_all(&chunk).await?;
    }
    to.shutdown().await
}

async fn wait_while(
    told: &mut watch::Receiver<Conduct>,
    is_so: impl Fn(&Conduct) -> bool,
) -> io::Result<()> {
    let ended = told.wait_for(|conduct| !is_so(conduct)).await;
    ended.map(drop).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_WHILE: Duration = Duration::from_millis(200);
    const SOON: Duration = Duration::from_secs(10);

    /// A server that sends back what it gets, and the relay to it.
    async fn echo() -> Result<(Relay, Background)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let relay = Relay::start(listener.local_addr()?).await?;
        let server = Background::start(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        Ok((relay, server))
    }

    async fn say(client: &mut TcpStream) -> io::Result<()> {
        client.write_all(b"word").await?;
        let mut back = [0; 4];
        client.read_exact(&mut back).await?;
        assert_eq!(&back, b"word");
        Ok(())
    }

    #[tokio::test]
    async fn bytes_pass_and_are_delayed_both_ways() -> Result<()> {
        let (relay, _server) = echo().await?;
        let mut client = TcpStream::connect(relay.address()).await?;
        say(&mut client).await?;
        relay.conduct(Conduct::Delay(A_WHILE));
        let begin = Instant::now();
        say(&mut client).await?;
        assert!(begin.elapsed() >= 2 * A_WHILE, "{:?}", begin.elapsed());
        Ok(())
    }

    #[tokio::test]
    async fn what_was_stalled_arrives_when_the_stall_ends() -> Result<()> {
        let (relay, _server) = echo().await?;
        let mut old = TcpStream::connect(relay.address()).await?;
        say(&mut old).await?;
        relay.conduct(Conduct::Stall);
        let mut new = TcpStream::connect(relay.address()).await?;
        let mut both = Box::pin(async { tokio::try_join!(say(&mut old), say(&mut new)) });
        let early = time::timeout(A_WHILE, both.as_mut()).await;
        assert!(early.is_err(), "it came through: {early:?}");
        relay.conduct(Conduct::Pass);
        time::timeout(SOON, both).await??;
        Ok(())
    }

    #[tokio::test]
    async fn a_cut_resets_connections_and_ends() -> Result<()> {
        let (relay, _server) = echo().await?;
        let mut old = TcpStream::connect(relay.address()).await?;
        say(&mut old).await?;
        relay.conduct(Conduct::Cut);
        let ended = time::timeout(SOON, old.read_u8()).await?;
        assert!(ended.is_err(), "{ended:?}");
        let mut new = TcpStream::connect(relay.address()).await?;
        let ended = time::timeout(SOON, new.read_u8()).await?;
        assert!(ended.is_err(), "{ended:?}");
        relay.conduct(Conduct::Pass);
        say(&mut TcpStream::connect(relay.address()).await?).await?;
        Ok(())
    }
}
