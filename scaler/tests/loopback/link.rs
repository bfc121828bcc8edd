//! The network between two replicas: it passes everything on, or keeps it.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use wakegate_runtime::Tasks;

/// A relay to one address.
pub(crate) struct Link {
    pub(crate) addr: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    passes: watch::Sender<bool>,
}

impl Link {
    /// A relay to nobody yet: connections wait.
    pub(crate) async fn start(tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (target, passes) = (watch::Sender::new(None), watch::Sender::new(true));
        let accepted = accept(
            tasks.clone(),
            listener,
            target.subscribe(),
            passes.subscribe(),
        );
        tasks.spawn_short("relay", accepted);
        Self {
            addr,
            target,
            passes,
        }
    }

    pub(crate) fn to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    /// Nothing arrives, until it is mended: not even that a connection ends.
    pub(crate) fn stall(&self) {
        self.passes.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.passes.send_replace(true);
    }
}

async fn accept(
    tasks: Tasks,
    listener: TcpListener,
    mut target: watch::Receiver<Option<SocketAddr>>,
    passes: watch::Receiver<bool>,
) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let target = target.wait_for(Option::is_some).await.unwrap().unwrap();
        let Ok(server) = TcpStream::connect(target).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        for (from, to) in [(from_client, to_server), (from_server, to_client)] {
            tasks.spawn_short("relayed", carry(from, to, passes.clone()));
        }
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut passes: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(n_read) = from.read(&mut bytes).await {
        let may_pass = passes.wait_for(|passes| *passes).await.is_ok();
        if n_read == 0 || !may_pass || to.write_all(&bytes[..n_read]).await.is_err() {
            return;
        }
    }
}
