//! Everything that talks to an API server, with one client.

use tokio::sync::watch;

use crate::{
    Shared,
    config::Kubernetes,
    leader::{self, LeaseConfig},
    peers::Follower,
    publish::Publisher,
    source::kubernetes,
    writers::Writers,
};

/// Starts all of it.
///
/// # Errors
/// There is no API server to talk to, as far as can be told without asking it.
pub(crate) async fn start(
    config: Kubernetes,
    publisher: Publisher,
    shared: &Shared,
) -> anyhow::Result<()> {
    let client = kubernetes::connect().await?;
    let Shared {
        tasks,
        snapshots,
        workers,
        acks,
        metrics,
        grpc,
        transport,
    } = shared;
    let source = kubernetes::Source::new(client.clone(), &config.namespaces, metrics.clone());
    let run = source.run(publisher.publishing(), tasks.shutdown_token());
    tasks.spawn("kubernetes", run);

    let address = config.peer_address.clone();
    let lease = LeaseConfig::new(
        config.lease_namespace.clone(),
        config.identity.clone(),
        address.unwrap_or_else(|| grpc.to_string()),
    );
    let stop = tasks.shutdown_token();
    let (leadership, run) = leader::run(client.clone(), lease, metrics.clone(), stop);
    tasks.spawn("lease", run);
    let follower = Follower::new(
        config.identity.clone(),
        workers.clone(),
        leadership.leader(),
        watch::Sender::new(Some(transport.clone())).subscribe(),
    );
    tasks.spawn("follower", follower.run(tasks.shutdown_token()));

    let writers = Writers {
        config,
        client,
        snapshots: snapshots.clone(),
        acks: acks.clone(),
        leadership,
        metrics: metrics.writers.clone(),
    };
    tasks.spawn("writers", writers.run(tasks.shutdown_token()));
    Ok(())
}
