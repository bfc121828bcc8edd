//! The metrics of the KEDA HTTP Add-on, under the names that its users have in their dashboards: what of them can
//! be said truthfully. What stands for what is in docs/operations.md.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Registry,
};

use crate::state::{Object, State};

/// Reads the numbers at each scrape.
#[derive(Debug)]
pub(crate) struct AddOnMetrics(Arc<State>);

type Objects = [(Arc<Object>, u64)];

impl AddOnMetrics {
    pub(crate) fn register(registry: &mut Registry, state: Arc<State>) {
        registry.register(
            "scaler_pinger_endpoints",
            "Workers heard within the last 10 s that report to this replica",
            state.metrics.workers_here().clone(),
        );
        registry.register_collector(Box::new(Self(state)));
    }
}

impl Collector for AddOnMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let objects = self.0.add_on_objects();

        let name = "interceptor_request_concurrency";
        let help = "Requests held and running";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        each(&objects, metric, |mut metric, _, under_way| {
            metric.encode_gauge(&under_way)
        })?;

        let name = "interceptor_request_count";
        let help = "Requests that ended";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        each(&objects, metric, |mut metric, object, _| {
            metric.encode_counter::<NoLabelSet, _, u64>(&object.ended(), None)
        })?;

        let name = "interceptor_request_duration_seconds";
        let help = "The time that requests took, held and running";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        each(&objects, metric, |mut metric, object, _| {
            let n = object.ended();
            let all = [(f64::INFINITY, n)];
            metric.encode_histogram::<NoLabelSet>(object.taken().as_secs_f64(), n, &all, None)
        })
    }
}

fn each(
    objects: &Objects,
    mut metric: MetricEncoder<'_>,
    encode: impl Fn(MetricEncoder<'_>, &Object, u64) -> fmt::Result,
) -> fmt::Result {
    for (object, under_way) in objects {
        let labels = [
            ("route_name", object.name.as_str()),
            ("route_namespace", object.namespace.as_str()),
        ];
        encode(metric.encode_family(&labels)?, object, *under_way)?;
    }
    Ok(())
}
