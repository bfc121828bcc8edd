//! A scaler under test, and who talks to it.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use tokio::runtime::Runtime;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint},
};
use wakegate_core::{Alias, Key, KeyReport, Targets, Workload};
use wakegate_runtime::{StreamArgs, Tasks, TlsSetting};
use wakegate_scaler::{Addresses, Config, start};
use wakegate_wire::{
    externalscaler::{
        GetMetricsRequest, IsActiveResponse, ScaledObjectRef,
        external_scaler_client::ExternalScalerClient,
    },
    v1,
};

use crate::{control_plane::ControlPlane, worker::Worker};

/// The longest that anything in these tests may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A scaler with a control plane of its own.
pub(crate) struct Bench {
    pub(crate) scaler: Scaler,
    pub(crate) control_plane: ControlPlane,
}

pub(crate) struct Scaler {
    /// Where it runs, when it is to be killed.
    runtime: Option<Runtime>,
    pub(crate) tasks: Tasks,
    pub(crate) addresses: Addresses,
    pub(crate) keda: ExternalScalerClient<Channel>,
}

impl Bench {
    /// A scaler that knows the workload `web`.
    pub(crate) async fn start() -> Self {
        Self::of(&[web()], false).await
    }

    /// A scaler that knows these workloads, and may serve the add-on's metrics.
    pub(crate) async fn of(workloads: &[Workload], http_add_on_metrics: bool) -> Self {
        let control_plane = ControlPlane::start(table("v1", workloads)).await;
        let scaler = Scaler::start_with(control_plane.addr, http_add_on_metrics).await;
        let bench = Self {
            scaler,
            control_plane,
        };
        eventually("the table is acked", || {
            bench
                .control_plane
                .seen
                .lock()
                .acks
                .iter()
                .any(|ack| ack.version == "v1")
        })
        .await;
        bench
    }
}

impl Scaler {
    pub(crate) async fn start(control_plane: SocketAddr) -> Self {
        Self::start_with(control_plane, false).await
    }

    async fn start_with(control_plane: SocketAddr, http_add_on_metrics: bool) -> Self {
        let config = Config {
            http_add_on_metrics,
            ..config(control_plane)
        };
        Self::start_as(config, None).await
    }

    /// Starts one that goes by `config`, in a runtime of its own or in that of the test.
    pub(crate) async fn start_as(config: Config, runtime: Option<Runtime>) -> Self {
        let tasks = Tasks::default();
        let started = async |tasks: Tasks| start(config, &tasks).await.unwrap();
        let addresses = match &runtime {
            Some(runtime) => runtime.spawn(started(tasks.clone())).await.unwrap(),
            None => started(tasks.clone()).await,
        };
        let keda = ExternalScalerClient::new(channel(addresses.grpc).await);
        Self {
            runtime,
            tasks,
            addresses,
            keda,
        }
    }

    /// Ends without a word.
    pub(crate) fn kill(self) {
        self.runtime.unwrap().shutdown_background();
    }

    /// Drains, and is gone.
    pub(crate) async fn stop(self) {
        self.tasks.shutdown_token().cancel();
        self.tasks.run(DEADLINE).await.unwrap();
    }

    pub(crate) async fn is_active(&self, metadata: &[(&str, &str)]) -> Result<bool, Status> {
        let answer = self.keda.clone().is_active(object(metadata)).await?;
        Ok(answer.into_inner().result)
    }

    pub(crate) async fn metric(&self, name: &str) -> Result<(i64, f64), Status> {
        self.metric_of(WEB, name).await
    }

    pub(crate) async fn metric_of(
        &self,
        metadata: &[(&str, &str)],
        name: &str,
    ) -> Result<(i64, f64), Status> {
        let request = GetMetricsRequest {
            scaled_object_ref: Some(object(metadata)),
            metric_name: name.to_owned(),
        };
        let answer = self.keda.clone().get_metrics(request).await?.into_inner();
        let [value] = answer.metric_values.as_slice() else {
            panic!("one value: {answer:?}")
        };
        assert_eq!(value.metric_name, name);
        Ok((value.metric_value, value.metric_value_float))
    }

    pub(crate) async fn stream(&self) -> Streaming<IsActiveResponse> {
        self.stream_of(WEB).await
    }

    pub(crate) async fn stream_of(&self, metadata: &[(&str, &str)]) -> Streaming<IsActiveResponse> {
        let mut keda = self.keda.clone();
        let answers = keda.stream_is_active(object(metadata)).await;
        answers.unwrap().into_inner()
    }

    /// Opens a report stream and has its first report acked.
    pub(crate) async fn worker(&self, keys: &[KeyReport]) -> Worker {
        let mut worker = Worker::connect(self, 1).await;
        worker.report(true, keys).await;
        worker
    }
}

/// What a scaler under test goes by.
pub(crate) fn config(control_plane: SocketAddr) -> Config {
    let any = "127.0.0.1:0".parse().unwrap();
    Config {
        control_plane: format!("http://{control_plane}").parse().unwrap(),
        name: "scaler-0".to_owned(),
        peers: Vec::new(),
        listen: any,
        admin_listen: any,
        address_file: None,
        settling: Duration::ZERO,
        http_add_on_metrics: false,
        tls: TlsSetting::PlainText,
        streams: StreamArgs {
            max_stream_age_secs: 0,
            drain_delay_secs: 0,
        },
        drain_limit: DEADLINE,
    }
}

/// The trigger of the workload `web`.
pub(crate) const WEB: &[(&str, &str)] = &[("service", "web"), ("pollingInterval", "15")];

pub(crate) fn web() -> Workload {
    let alias = |kind: &str, name: &str| Alias {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    Workload {
        id: "shop/Deployment/web".to_owned(),
        namespace: "shop".to_owned(),
        keys: vec![Key::service("shop", "web")],
        aliases: vec![alias("service", "web"), alias("httpRoute", "front")],
        targets: Targets {
            concurrency: Some(10.0),
            ..Targets::default()
        },
        ready_endpoints: 0,
        replicas: Some(0),
    }
}

pub(crate) fn table(version: &str, workloads: &[Workload]) -> v1::Update {
    v1::Update {
        full: true,
        last: true,
        version: version.to_owned(),
        workloads: workloads.iter().map(v1::Workload::from).collect(),
        ..v1::Update::default()
    }
}

pub(crate) fn object(metadata: &[(&str, &str)]) -> ScaledObjectRef {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    ScaledObjectRef {
        name: "web".to_owned(),
        namespace: "shop".to_owned(),
        scaler_metadata: metadata.iter().map(pair).collect::<HashMap<_, _>>(),
    }
}

/// What is held and running of `web`, and how much started.
pub(crate) fn count(held: u32, running: u32, started: u64) -> KeyReport {
    KeyReport {
        key: Key::service("shop", "web"),
        held,
        running,
        started,
        ended: started - u64::from(held + running),
        shed: 0,
        integral_ms: 0,
    }
}

pub(crate) async fn channel(addr: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    endpoint.connect().await.unwrap()
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, text: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, text));
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} does not come"))
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(what, poll).await;
}

/// Waits until a condition holds that is asked for.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let poll = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, poll).await;
}
