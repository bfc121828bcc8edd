//! KEDA's `ExternalScaler`: asks the state, and says it in KEDA's words.

mod streams;

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};
use wakegate_core::{BookError, Metric, Reading, Scale};
use wakegate_runtime::{Peer, Role};
use wakegate_wire::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec,
    MetricValue, ScaledObjectRef, external_scaler_server::ExternalScaler,
};

use self::streams::{Activity, Specs};
use crate::state::{Refusal, State, Trigger};

/// Serves `externalscaler.ExternalScaler`.
#[derive(Debug)]
pub(crate) struct Keda {
    state: Arc<State>,
    drain: CancellationToken,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Keda {
    pub(crate) fn new(state: Arc<State>, drain: CancellationToken) -> Self {
        Self { state, drain }
    }

    fn reading(&self, object: ScaledObjectRef) -> Result<(bool, Reading), Refusal> {
        let trigger = Trigger::try_from(object)?;
        match self.state.look(&trigger)?.answer()? {
            Scale::Unknown(unknown) => Err(unknown.into()),
            Scale::Idle(reading) => Ok((false, reading)),
            Scale::Active(reading) => Ok((true, reading)),
        }
    }

    fn metrics(&self, request: GetMetricsRequest) -> Result<GetMetricsResponse, Refusal> {
        let GetMetricsRequest {
            scaled_object_ref,
            metric_name,
        } = request;
        let object = scaled_object_ref.unwrap_or_default();
        let Some(metric) = Metric::from_name(&metric_name) else {
            let metrics = self.state.metrics_of(&Trigger::try_from(object)?)?;
            let known: Vec<_> = metrics.iter().map(|(metric, _)| metric.name()).collect();
            return Err(Refusal::NoMetric {
                name: metric_name,
                known: known.join(", "),
            });
        };
        let (_, reading) = self.reading(object)?;
        let value = metric.of(&reading);
        let value = MetricValue {
            metric_name,
            metric_value: whole(value),
            metric_value_float: value,
        };
        Ok(GetMetricsResponse {
            metric_values: vec![value],
        })
    }

    fn answer<T>(
        &self,
        rpc: &'static str,
        answer: Result<T, Refusal>,
    ) -> Result<Response<T>, Status> {
        let answer = answer.map_err(Status::from);
        let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        self.state.metrics.call(rpc, code);
        answer.map(Response::new)
    }
}

#[tonic::async_trait]
impl ExternalScaler for Keda {
    type StreamIsActiveStream = Answers<IsActiveResponse>;
    type StreamMetricSpecStream = Answers<GetMetricSpecResponse>;

    async fn is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<IsActiveResponse>, Status> {
        let object = from_keda(request)?;
        let reading = self.reading(object);
        let answer = reading.map(|(result, _)| IsActiveResponse { result });
        self.answer("IsActive", answer)
    }

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let object = from_keda(request)?;
        let open = || {
            let trigger = Trigger::try_from(object)?;
            let stream = Activity::open(&self.state, trigger, &self.drain)?;
            Ok(Box::pin(stream) as Answers<IsActiveResponse>)
        };
        self.answer("StreamIsActive", open())
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let object = from_keda(request)?;
        let answer = Trigger::try_from(object).map_err(Refusal::from);
        let answer = answer.and_then(|trigger| specs(&self.state, &trigger));
        self.answer("GetMetricSpec", answer)
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        let asked = from_keda(request)?;
        self.answer("GetMetrics", self.metrics(asked))
    }

    async fn stream_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        let object = from_keda(request)?;
        let open = || {
            let trigger = Trigger::try_from(object)?;
            let stream = Specs::open(&self.state, trigger, &self.drain)?;
            Ok(Box::pin(stream) as Answers<GetMetricSpecResponse>)
        };
        self.answer("StreamMetricSpec", open())
    }
}

/// What KEDA says; nobody else may ask, for what is asked costs something, and the answers tell of all namespaces.
fn from_keda<T>(request: Request<T>) -> Result<T, Status> {
    Peer::of(&request).require(Role::Keda)?;
    Ok(request.into_inner())
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoTable | Refusal::Unknown(_) => Self::unavailable(text),
            Refusal::Book(BookError::NotFound { .. }) | Refusal::NoMetric { .. } => {
                Self::not_found(text)
            }
            Refusal::Book(
                BookError::Unnamed | BookError::Contradiction(..) | BookError::Ambiguous { .. },
            )
            | Refusal::Trigger(_) => Self::invalid_argument(text),
        }
    }
}

fn specs(state: &State, trigger: &Trigger) -> Result<GetMetricSpecResponse, Refusal> {
    let metrics = state.metrics_of(trigger)?;
    let spec = |(metric, target): (Metric, f64)| MetricSpec {
        metric_name: metric.name().to_owned(),
        target_size: whole(target),
        target_size_float: target,
    };
    Ok(GetMetricSpecResponse {
        metric_specs: metrics.into_iter().map(spec).collect(),
    })
}

/// For KEDA before 2.17, which knows whole numbers only: rounded up, or a fraction would be nothing.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float saturates"
)]
fn whole(value: f64) -> i64 {
    value.ceil() as i64
}
