//! One address for several replicas, as a Service has one: each connection goes to the next that takes it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::background::Background;

/// It listens until it is dropped.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    _task: Background,
}

impl Front {
    /// In front of `backends`, on a free port of the loopback device.
    pub async fn start(backends: Vec<SocketAddr>) -> Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into(), backends).await
    }

    /// The same at an address.
    pub async fn start_at(address: SocketAddr, backends: Vec<SocketAddr>) -> Result<Self> {
        let listener = TcpListener::bind(address).await.context("listen")?;
        let address = listener.local_addr().context("ask for the bound address")?;
        Ok(Self {
            address,
            _task: Background::start(serve(listener, backends)),
        })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, backends: Vec<SocketAddr>) {
    let mut connections = JoinSet::new();
    // In turns: one that is stalled takes connections as well, and whoever comes again meets another.
    let mut backends = VecDeque::from(backends);
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            Ok((client, _)) = listener.accept() => {
                connections.spawn(forward(client, backends.clone()));
                backends.rotate_left(1);
            }
        }
    }
}

async fn forward(mut client: TcpStream, backends: VecDeque<SocketAddr>) {
    for backend in backends {
        if let Ok(mut stream) = TcpStream::connect(backend).await {
            // Either end may go at any time.
            drop(copy_bidirectional(&mut client, &mut stream).await);
            return;
        }
    }
}
