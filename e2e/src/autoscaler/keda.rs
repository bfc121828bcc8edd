//! When KEDA calls an external scaler (`external_scaler.go`, `scale_handler.go`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tonic::Status;

use super::contract::Contract;
use super::executor::Executor;
use super::journal::Event;

/// The first wait before a stream is opened again, and the wait after one that ended with OK.
const RECONNECT: Duration = Duration::from_secs(2);
/// The longest such wait.
const RECONNECT_MAX: Duration = Duration::from_mins(1);

/// The loops of one ScaledObject.
#[derive(Debug)]
pub(super) struct ScaleLoop {
    contract: Contract,
    polling_interval: Duration,
    executor: Arc<Executor>,
}

impl ScaleLoop {
    pub(super) fn new(
        contract: Contract,
        polling_interval: Duration,
        executor: Arc<Executor>,
    ) -> Self {
        Self {
            contract,
            polling_interval,
            executor,
        }
    }

    /// Nothing starts before the scaler has answered `GetMetricSpec`: KEDA makes the HPA from it, and
    /// a reconcile that fails is tried again with a growing wait.
    pub(super) async fn run(self) {
        let mut wait = Duration::from_millis(250);
        while let Err(error) = self.contract.metric_names().await {
            self.executor
                .journal()
                .write(Event::PollFailed(error.to_string()));
            time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(10));
        }
        self.executor.journal().write(Event::Known);
        tokio::join!(self.push(), self.poll());
    }

    /// Opens `StreamIsActive` again and again. The wait doubles with each error and goes back to its
    /// start only when a stream ends with OK, however long one was healthy in between.
    async fn push(&self) {
        let mut wait = RECONNECT;
        loop {
            let ended = self.listen().await;
            self.executor
                .journal()
                .write(Event::StreamEnded(ended.is_ok()));
            match ended {
                Ok(()) => {
                    time::sleep(RECONNECT).await;
                    wait = RECONNECT;
                }
                Err(status) => {
                    tracing::debug!(%status, "push stream ended");
                    time::sleep(wait).await;
                    wait = (wait * 2).min(RECONNECT_MAX);
                }
            }
        }
    }

    async fn listen(&self) -> Result<(), Status> {
        let mut stream = self.contract.stream_is_active().await?;
        self.executor.journal().write(Event::StreamOpened);
        while let Some(answer) = stream.message().await? {
            self.executor.journal().write(Event::Told(answer.result));
            if answer.result {
                self.executor.on_active();
            }
        }
        Ok(())
    }

    async fn poll(&self) {
        let mut ticks = time::interval(self.polling_interval);
        loop {
            ticks.tick().await;
            match self.ask().await {
                Ok((is_active, value)) => {
                    self.executor
                        .journal()
                        .write(Event::Polled(is_active, value));
                    if is_active {
                        self.executor.on_active();
                    } else {
                        self.executor.on_inactive();
                    }
                }
                Err(status) => {
                    self.executor
                        .journal()
                        .write(Event::PollFailed(status.to_string()));
                }
            }
        }
    }

    /// One poll: the specs, then for each its value and whether it is active. An error is tried once
    /// more at once, with everything made anew.
    async fn ask(&self) -> Result<(bool, f64), Status> {
        match self.contract.poll().await {
            Ok(answer) => Ok(answer),
            Err(_first) => self.contract.poll().await,
        }
    }
}
