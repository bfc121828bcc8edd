//! How KEDA calls an external scaler (`external_scaler.go`, `scale_handler.go`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tonic::Status;
use tonic::transport::Channel;
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;
use wakegate_wire::externalscaler::{GetMetricsRequest, MetricValue, ScaledObjectRef};

use super::executor::Executor;
use super::journal::Event;

/// The first wait before a stream is opened again, and the wait after one that ended with OK.
const RECONNECT: Duration = Duration::from_secs(2);
/// The longest such wait.
const RECONNECT_MAX: Duration = Duration::from_mins(1);

/// The loops of one ScaledObject.
#[derive(Debug)]
pub(super) struct ScaleLoop {
    client: ExternalScalerClient<Channel>,
    object: ScaledObjectRef,
    polling_interval: Duration,
    executor: Arc<Executor>,
}

impl ScaleLoop {
    pub(super) fn new(
        client: ExternalScalerClient<Channel>,
        object: ScaledObjectRef,
        polling_interval: Duration,
        executor: Arc<Executor>,
    ) -> Self {
        Self {
            client,
            object,
            polling_interval,
            executor,
        }
    }

    /// Nothing starts before the scaler has answered `GetMetricSpec`: KEDA makes the HPA from it, and
    /// a reconcile that fails is tried again with a growing wait.
    pub(super) async fn run(self) {
        let mut wait = Duration::from_millis(250);
        while let Err(error) = self.metric_names().await {
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
        let mut stream = self
            .client
            .clone()
            .stream_is_active(self.object.clone())
            .await?
            .into_inner();
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
        match self.ask_once().await {
            Ok(answer) => Ok(answer),
            Err(_first) => self.ask_once().await,
        }
    }

    async fn ask_once(&self) -> Result<(bool, f64), Status> {
        let mut client = self.client.clone();
        let (mut is_active, mut sum) = (false, 0.0);
        for metric_name in self.metric_names().await? {
            let request = GetMetricsRequest {
                scaled_object_ref: Some(self.object.clone()),
                metric_name,
            };
            let values = client
                .get_metrics(request)
                .await?
                .into_inner()
                .metric_values;
            sum += values.iter().map(value).sum::<f64>();
            is_active |= client
                .is_active(self.object.clone())
                .await?
                .into_inner()
                .result;
        }
        Ok((is_active, sum))
    }

    async fn metric_names(&self) -> Result<Vec<String>, Status> {
        let specs = self
            .client
            .clone()
            .get_metric_spec(self.object.clone())
            .await?
            .into_inner();
        let names: Vec<_> = specs
            .metric_specs
            .into_iter()
            .map(|spec| spec.metric_name)
            .collect();
        if names.is_empty() {
            return Err(Status::not_found("no metric spec: KEDA makes no HPA"));
        }
        Ok(names)
    }
}

/// The float where it is above zero, else the integer, as KEDA reads it.
fn value(metric: &MetricValue) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a request count stays far below 2^52"
    )]
    let integer = metric.metric_value as f64;
    if metric.metric_value_float > 0.0 {
        metric.metric_value_float
    } else {
        integer
    }
}
