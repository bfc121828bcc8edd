//! A node that plays scheduler, kubelet and kube-proxy, so that all controllers above it are the real ones.
//! What it leaves out of a real kubelet is written in `docs/testing.md`.

mod addresses;
mod container;
mod environment;
mod image;
mod launch;
mod names;
mod network;
mod pod;
mod pods;
mod probe;
mod probes;
mod proxy;
mod registration;
mod root;
mod scheduler;
mod status;
mod volumes;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use anyhow::Result;
use futures::{Stream, StreamExt as _};
use kube::runtime::watcher;
use tokio::time;

use self::addresses::Addresses;
use self::names::Names;
use self::registration::register;
use crate::background::Background;

/// After a call that failed. An API server that is away comes back in its own time.
const PAUSE: Duration = Duration::from_millis(200);

/// What a node is made of.
pub struct NodeConfig {
    /// With every right that it needs.
    pub client: Client,
    /// Its name.
    pub name: String,
    /// The first three bytes of its pods' addresses.
    pub pod_subnet: [u8; 3],
    /// Where containers' logs and volumes go.
    pub folder: PathBuf,
    /// The file that says which addresses Services have, in place of DNS.
    pub hosts: PathBuf,
    /// Where pods find the API server.
    pub api_server: (&'static str, u16),
}

/// A node that runs pods until it is dropped; their processes end with it.
#[derive(Debug)]
pub struct Node {
    _loops: Vec<Background>,
}

/// What everything on a node needs.
struct Shared {
    client: Client,
    name: String,
    addresses: Arc<Addresses>,
    folder: PathBuf,
    hosts: PathBuf,
    api_server: (&'static str, u16),
}

impl Debug for NodeConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NodeConfig");
        shown.field("name", &self.name);
        shown.finish_non_exhaustive()
    }
}

impl Node {
    /// Registers a node and starts its loops on the runtime of the caller.
    pub async fn start(config: NodeConfig) -> Result<Self> {
        let NodeConfig {
            client,
            name,
            pod_subnet,
            folder,
            hosts,
            api_server,
        } = config;
        std::fs::create_dir_all(&folder)?;
        let names = Names::new(hosts.clone());
        let shared = Arc::new(Shared {
            client,
            name,
            addresses: Arc::new(Addresses::new(pod_subnet)),
            folder,
            hosts,
            api_server,
        });
        register(&shared).await?;
        let loops = vec![
            Background::start(registration::renew(Arc::clone(&shared))),
            Background::start(pods::run(Arc::clone(&shared))),
            Background::start(proxy::run(shared.client.clone(), names)),
        ];
        Ok(Self { _loops: loops })
    }
}

/// Calls until it succeeds, or until it says that there is nothing more to do.
async fn insist<F>(mut call: impl FnMut() -> F)
where
    F: Future<Output = kube::Result<()>>,
{
    while let Err(error) = call().await {
        // The object has gone or is another now: whoever watches it will be told.
        if matches!(&error, kube::Error::Api(status) if matches!(status.code, 404 | 409)) {
            return;
        }
        tracing::debug!(%error, "node: a call failed");
        time::sleep(PAUSE).await;
    }
}

/// The next event of a watch, which goes on by itself after an error.
async fn next<K>(
    events: &mut (impl Stream<Item = watcher::Result<watcher::Event<K>>> + Unpin),
) -> Option<watcher::Event<K>> {
    loop {
        match events.next().await? {
            Ok(event) => return Some(event),
            Err(_) => time::sleep(PAUSE).await,
        }
    }
}
