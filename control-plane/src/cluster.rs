//! Everything that talks to an API server, with one client.

use std::sync::Arc;

use kube::Client;
use tokio::sync::watch;
use wakegate_runtime::tls::{Allowed, Transport};

use crate::{
    Shared,
    authority::{self, AuthorityConfig},
    config::Kubernetes,
    leader::{self, Leadership, LeaseConfig},
    peers::Follower,
    publish::Publisher,
    source::kubernetes::{self, Reach},
    writers::Writers,
};

/// How gRPC is spoken.
pub(crate) enum Speech {
    /// As it was said.
    Said(watch::Receiver<Option<Transport>>),
    /// By certificates of our own authority, with which others have these roles.
    Own(Allowed),
}

/// How gRPC is spoken, once that is known; and the version of KEDA's certificate, where it is ours to make.
type Spoken = (
    watch::Receiver<Option<Transport>>,
    Option<watch::Receiver<Option<Arc<str>>>>,
);

impl Speech {
    /// Starts the own authority, where there is one.
    fn start(
        self,
        config: &AuthorityConfig,
        client: &Client,
        leadership: &Leadership,
        shared: &Shared,
    ) -> Spoken {
        match self {
            Self::Said(transport) => (transport, None),
            Self::Own(allowed) => {
                let metrics = (shared.metrics.authority.clone(), shared.metrics.tls.clone());
                let leadership = leadership.clone();
                let tasks = &shared.tasks;
                let started =
                    authority::start(tasks, client, config, leadership, (allowed, metrics));
                (started.transport, Some(started.keda))
            }
        }
    }
}

/// Starts all of it. What is returned says how gRPC is spoken, once that is known.
///
/// # Errors
/// There is no API server to talk to, as far as can be told without asking it.
pub(crate) async fn start(
    config: Kubernetes,
    speech: Speech,
    publisher: Publisher,
    shared: &Shared,
) -> anyhow::Result<watch::Receiver<Option<Transport>>> {
    let client = kubernetes::connect().await?;
    let Shared {
        tasks,
        snapshots,
        workers,
        acks,
        metrics,
        readiness,
        stream_age: _,
        grpc,
    } = shared;
    let reach = Reach::default();
    let in_reach = readiness.condition("out of reach at the API server");
    let watch = reach
        .clone()
        .watch(in_reach, metrics.clone(), tasks.shutdown_token());
    tasks.spawn("reach", watch);
    let source = kubernetes::Source::new(
        client.clone(),
        &config.namespaces,
        reach.clone(),
        metrics.clone(),
    );
    let run = source.run(publisher.publishing(), tasks.shutdown_token());
    tasks.spawn("kubernetes", run);

    let address = config.peer_address.clone();
    let lease = LeaseConfig::new(
        config.lease_namespace.clone(),
        config.identity.clone(),
        address.unwrap_or_else(|| grpc.to_string()),
    );
    // Another leads as soon as this one is told to end, and hears from it until it has.
    let leadership = leader::start(client.clone(), lease, reach, metrics.clone(), tasks);
    let (transport, keda_certificate) =
        speech.start(&config.authority, &client, &leadership, shared);
    let follower = Follower::new(
        config.identity.clone(),
        workers.clone(),
        leadership.leader(),
        transport.clone(),
    );
    tasks.spawn("follower", follower.run(tasks.shutdown_token()));

    let writers = Writers {
        config,
        client,
        snapshots: snapshots.clone(),
        acks: acks.clone(),
        keda_certificate,
        leadership,
        metrics: metrics.writers.clone(),
    };
    tasks.spawn("writers", writers.run(tasks.shutdown_token()));
    Ok(transport)
}
