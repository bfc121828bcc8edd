//! The threads of a cluster. Every test has a runtime that dies with it, and the kernel ends the children
//! of a thread with the thread: what belongs to a cluster lives here.

use std::future::Future;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// One for the node's traffic, one for everything else to go on meanwhile.
const N_THREADS: usize = 2;

/// A runtime that lives as long as this.
#[derive(Debug)]
pub(super) struct Home {
    /// Taken by the drop alone.
    runtime: Option<Runtime>,
}

impl Home {
    pub(super) fn new() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(N_THREADS)
            .thread_name("cluster")
            .enable_all()
            .build()
            .context("start the cluster's threads")?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Runs `work` there and waits for it here.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let runtime = self.runtime.as_ref().context("the cluster has ended")?;
        runtime
            .spawn(work)
            .await
            .context("the cluster's task ended early")?
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A plain drop would wait, which a test's own runtime does not allow.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
