//! The start of a cluster.

use std::time::Duration;

use anyhow::Result;
use tokio::try_join;

use super::kubectl::Kubectl;
use super::program::Program;
use super::running::Running;
use super::{ClusterOptions, objects};
use crate::kube::node::{Node, NodeConfig};

/// For CRDs to be served after they were made.
const ESTABLISHED_LIMIT: Duration = Duration::from_secs(30);

/// Everything in the order of needs, and side by side where nothing is needed.
pub(super) async fn start(
    running: &Running,
    kubectl: &Kubectl,
    options: ClusterOptions,
) -> Result<Option<Node>> {
    // The API server waits for its database by itself.
    running.start(Program::Etcd)?;
    running.start_ready(Program::ApiServer).await?;
    // Before the controllers, which look for new kinds every 30 s only: the garbage collector would not
    // know them so long.
    try_join!(
        async {
            if options.gateway_api {
                objects::apply_gateway_api(kubectl).await?;
            }
            if options.http_add_on {
                objects::apply_http_add_on(kubectl).await?;
            }
            if options.wakegate {
                objects::apply_wakegate(kubectl).await?;
            }
            anyhow::Ok(())
        },
        async {
            if options.keda {
                objects::apply_keda(kubectl, &running.layout).await?;
            }
            Ok(())
        },
    )?;
    established(running).await?;
    if options.gateway_api {
        objects::apply_gateway_class(kubectl).await?;
    }
    let keda = async {
        if options.keda {
            if options.wakegate {
                objects::apply_wakegate_for_keda(kubectl).await?;
            }
            start_keda(running).await?;
        }
        Ok(())
    };
    let node = async {
        if !options.node {
            return Ok(None);
        }
        let config = NodeConfig {
            client: running.client().await?,
            name: "node".to_owned(),
            pod_subnet: running.layout.pod_subnet(),
            folder: running.layout.pods(),
            hosts: running.layout.hosts(),
            api_server: running.layout.api_server(),
        };
        Box::pin(Node::start(config)).await.map(Some)
    };
    let ((), (), node) = try_join!(running.start_ready(Program::ControllerManager), keda, node)?;
    Ok(node)
}

/// KEDA's three programs.
pub(super) async fn start_keda(running: &Running) -> Result<()> {
    try_join!(
        running.start_ready(Program::KedaOperator),
        running.start_ready(Program::KedaAdapter),
        running.start_ready(Program::KedaWebhooks),
    )?;
    Ok(())
}

/// Waits until all CRDs are served.
pub(super) async fn established(running: &Running) -> Result<()> {
    let client = running.client().await?;
    let look = || objects::are_established(client.clone());
    running.wait("CRDs", ESTABLISHED_LIMIT, look).await
}
