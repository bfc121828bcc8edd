//! Everything that talks to an API server, with one client.

use crate::{Shared, config::Kubernetes, publish::Publisher, source::kubernetes};

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
    let Shared { tasks, metrics, .. } = shared;
    let source = kubernetes::Source::new(client, &config.namespaces, metrics.clone());
    let run = source.run(publisher.publishing(), tasks.shutdown_token());
    tasks.spawn("kubernetes", run);
    Ok(())
}
