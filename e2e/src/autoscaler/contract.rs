//! KEDA's calls to an external scaler, one by one.

use tonic::transport::Channel;
use tonic::{Status, Streaming};
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;
use wakegate_wire::externalscaler::{
    GetMetricsRequest, IsActiveResponse, MetricValue, ScaledObjectRef,
};

/// The scaler's answers for one ScaledObject.
#[derive(Debug, Clone)]
pub struct Contract {
    client: ExternalScalerClient<Channel>,
    object: ScaledObjectRef,
}

impl Contract {
    pub(super) fn new(client: ExternalScalerClient<Channel>, object: ScaledObjectRef) -> Self {
        Self { client, object }
    }

    /// The names of `GetMetricSpec`; none is an error, as KEDA takes it.
    pub async fn metric_names(&self) -> Result<Vec<String>, Status> {
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

    /// `IsActive`.
    pub async fn is_active(&self) -> Result<bool, Status> {
        let answer = self.client.clone().is_active(self.object.clone()).await?;
        Ok(answer.into_inner().result)
    }

    /// One poll of KEDA's: the specs, then for each its value and whether it is active. Returns
    /// whether any is, and the sum.
    pub async fn poll(&self) -> Result<(bool, f64), Status> {
        let (mut is_active, mut sum) = (false, 0.0);
        for metric_name in self.metric_names().await? {
            let request = GetMetricsRequest {
                scaled_object_ref: Some(self.object.clone()),
                metric_name,
            };
            let values = self.client.clone().get_metrics(request).await?.into_inner();
            sum += values.metric_values.iter().map(value).sum::<f64>();
            is_active |= self.is_active().await?;
        }
        Ok((is_active, sum))
    }

    /// `StreamIsActive`.
    pub async fn stream_is_active(&self) -> Result<Streaming<IsActiveResponse>, Status> {
        let answer = self
            .client
            .clone()
            .stream_is_active(self.object.clone())
            .await?;
        Ok(answer.into_inner())
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
