//! A scaler under test, and who talks to it.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint},
};
use wakegate_core::{Alias, Key, KeyReport, Report, Targets, Workload};
use wakegate_runtime::Tasks;
use wakegate_scaler::{Addresses, Config, start};
use wakegate_wire::{
    externalscaler::{
        GetMetricsRequest, IsActiveResponse, ScaledObjectRef,
        external_scaler_client::ExternalScalerClient,
    },
    v1::{self, ReportRequest, ReportResponse, demand_client::DemandClient},
};

use crate::control_plane::ControlPlane;

/// The longest that anything in these tests may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// When workers boot, by their own clock.
const BOOT_MS: u64 = 1_800_000_000_000;

/// A scaler with a control plane of its own.
pub(crate) struct Bench {
    pub(crate) scaler: Scaler,
    pub(crate) control_plane: ControlPlane,
}

pub(crate) struct Scaler {
    pub(crate) tasks: Tasks,
    pub(crate) addresses: Addresses,
    pub(crate) keda: ExternalScalerClient<Channel>,
}

/// One filter VM.
pub(crate) struct Worker {
    requests: mpsc::Sender<ReportRequest>,
    pub(crate) acks: Streaming<ReportResponse>,
    sequence: u64,
    boot_ms: u64,
    booted: Instant,
    table: Vec<Key>,
}

impl Bench {
    /// A scaler that knows the workload `web`.
    pub(crate) async fn start() -> Self {
        let control_plane = ControlPlane::start(table("v1", &[web()])).await;
        let scaler = Scaler::start(control_plane.addr).await;
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
        let tasks = Tasks::default();
        let any = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            control_plane: format!("http://{control_plane}").parse().unwrap(),
            name: "scaler-0".to_owned(),
            listen: any,
            admin_listen: any,
            address_file: None,
            settling: Duration::ZERO,
            drain_limit: DEADLINE,
        };
        let addresses = start(config, &tasks).await.unwrap();
        let keda = ExternalScalerClient::new(channel(addresses.grpc).await);
        Self {
            tasks,
            addresses,
            keda,
        }
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
        let request = GetMetricsRequest {
            scaled_object_ref: Some(object(WEB)),
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
        self.keda
            .clone()
            .stream_is_active(object(WEB))
            .await
            .unwrap()
            .into_inner()
    }

    /// Opens a report stream and has its first report acked.
    pub(crate) async fn worker(&self, keys: &[KeyReport]) -> Worker {
        let mut worker = Worker::connect(self, 1).await;
        worker.report(true, keys).await;
        worker
    }
}

impl Worker {
    /// A worker that boots now, and whose first report will have this number.
    pub(crate) async fn connect(scaler: &Scaler, sequence: u64) -> Self {
        let (requests, acks) = Self::open(scaler).await;
        let table = vec![Key::service("shop", "web")];
        let (boot_ms, booted) = (BOOT_MS, Instant::now());
        Self {
            requests,
            acks,
            sequence: sequence - 1,
            boot_ms,
            booted,
            table,
        }
    }

    /// The same worker on a new stream.
    pub(crate) async fn reconnect(self, scaler: &Scaler) -> Self {
        let (requests, acks) = Self::open(scaler).await;
        Self {
            requests,
            acks,
            ..self
        }
    }

    async fn open(scaler: &Scaler) -> (mpsc::Sender<ReportRequest>, Streaming<ReportResponse>) {
        let (requests, receiver) = mpsc::channel(4);
        let mut client = DemandClient::new(channel(scaler.addresses.grpc).await);
        let acks = client.report(ReceiverStream::new(receiver)).await.unwrap();
        (requests, acks.into_inner())
    }

    /// Makes it a worker that has lived for an hour.
    pub(crate) fn aged(mut self) -> Self {
        self.boot_ms -= 3_600_000;
        self
    }

    /// Gives it another table than that of the control plane.
    pub(crate) fn know(&mut self, keys: &[&str]) {
        self.table = keys.iter().map(|key| Key::from(*key)).collect();
    }

    /// Reports, and waits for the ack.
    pub(crate) async fn report(&mut self, full: bool, keys: &[KeyReport]) -> ReportResponse {
        self.sequence += 1;
        let ack = self.send(full, keys, false).await;
        if ack.wants_keys {
            self.sequence += 1;
            self.send(false, &[], true).await;
        }
        ack
    }

    pub(crate) async fn send(
        &mut self,
        full: bool,
        keys: &[KeyReport],
        names_keys: bool,
    ) -> ReportResponse {
        self.say(self.request(full, keys, names_keys)).await;
        let sequence = self.sequence;
        loop {
            let ack = self.ack().await.unwrap().expect("an ack");
            if ack.acked >= sequence {
                return ack;
            }
        }
    }

    pub(crate) fn request(
        &self,
        full: bool,
        keys: &[KeyReport],
        names_keys: bool,
    ) -> ReportRequest {
        let report = Report {
            sequence: self.sequence,
            full,
            now: Duration::from_millis(BOOT_MS) + self.booted.elapsed(),
            known_digest: self
                .table
                .iter()
                .fold(0, |sum, key| sum.wrapping_add(key.digest())),
            known_keys: names_keys.then(|| self.table.clone()),
            keys: keys.to_vec(),
        };
        let instance = v1::Instance {
            proxy: "edge-1".to_owned(),
            boot_id: self.boot_ms,
            ..v1::Instance::default()
        };
        ReportRequest {
            instance: Some(instance),
            ..ReportRequest::from(&report)
        }
    }

    pub(crate) async fn say(&self, request: ReportRequest) {
        self.requests.send(request).await.unwrap();
    }

    pub(crate) async fn ack(&mut self) -> Result<Option<ReportResponse>, Status> {
        soon("an ack", self.acks.message()).await
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

async fn channel(addr: SocketAddr) -> Channel {
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
