//! One address for the control planes, as their Service is: each connection goes to the next that takes it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::cluster::Cluster;
use crate::background::Background;

/// Listens at `address` until what it returns is dropped.
pub(super) async fn start(
    cluster: &Cluster,
    address: SocketAddr,
    backends: Vec<SocketAddr>,
) -> Result<Background> {
    let start = async move {
        let listener = TcpListener::bind(address).await.context("listen")?;
        Ok(Background::start(serve(listener, backends)))
    };
    cluster.at_home(start).await
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
