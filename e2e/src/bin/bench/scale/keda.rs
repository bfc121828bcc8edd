//! What KEDA asks for very many ScaledObjects: one connection, a stream for each, and a poll of each in turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{self, MissedTickBehavior};
use tonic::transport::{Channel, Endpoint};
use wakegate_e2e::stats::Times;
use wakegate_e2e::{Background, NAMESPACE, Service};
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;
use wakegate_wire::externalscaler::{GetMetricsRequest, ScaledObjectRef};

/// The polling interval that our ScaledObjects have.
const POLLING: Duration = Duration::from_secs(15);
/// `true`s that wait to be looked at.
const N_WAITING: usize = 4_096;

type Client = ExternalScalerClient<Channel>;

/// KEDA with its ScaledObjects, until this is dropped.
#[derive(Debug)]
pub(super) struct Keda {
    /// Which ScaledObject was told `true`, and when.
    pub(super) told: mpsc::Receiver<(usize, Instant)>,
    answered: Arc<Mutex<Answered>>,
    _streams: JoinSet<()>,
    _polling: Background,
}

/// How long answers took, in milliseconds.
#[derive(Debug, Default)]
struct Answered {
    is_active: Vec<f64>,
    metrics: Vec<f64>,
    n_failed: usize,
}

impl Keda {
    /// Opens a stream for each Service's ScaledObject, and begins to poll.
    pub(super) async fn start(scaler: SocketAddr, services: &[Service]) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{scaler}"))?;
        let client = Client::new(endpoint.connect().await.context("connect to the scaler")?);
        let (tell, told) = mpsc::channel(N_WAITING);
        let objects: Vec<_> = services.iter().map(object).collect();
        let mut streams = JoinSet::new();
        for (at, object) in objects.iter().enumerate() {
            let (client, object, tell) = (client.clone(), object.clone(), tell.clone());
            streams.spawn(listen(client, object, at, tell));
        }
        let answered = Arc::default();
        let polling = poll(client, objects, Arc::clone(&answered));
        Ok(Self {
            told,
            answered,
            _streams: streams,
            _polling: Background::start(polling),
        })
    }

    /// Forgets the times so far.
    pub(super) fn measure(&self) {
        *self.answered.lock() = Answered::default();
    }

    /// From question to answer: `IsActive`, `GetMetrics`, and how many answers were errors.
    pub(super) fn answered(&self) -> (Times, Times, usize) {
        let answered = self.answered.lock();
        let times = |millis: &Vec<f64>| Times::of(millis.clone());
        (
            times(&answered.is_active),
            times(&answered.metrics),
            answered.n_failed,
        )
    }
}

/// Holds one `StreamIsActive` open, as KEDA does.
async fn listen(
    mut client: Client,
    object: ScaledObjectRef,
    at: usize,
    tell: mpsc::Sender<(usize, Instant)>,
) {
    loop {
        if let Ok(stream) = client.stream_is_active(object.clone()).await {
            let mut stream = stream.into_inner();
            while let Ok(Some(said)) = stream.message().await {
                if said.result {
                    // Nobody may be looking: the newest are dropped then, which the bench does not miss.
                    let _ = tell.try_send((at, Instant::now()));
                }
            }
        }
        // A stream that ended is opened again after a while.
        time::sleep(Duration::from_secs(2)).await;
    }
}

/// Asks for one ScaledObject after the other, each once in a polling interval.
async fn poll(client: Client, objects: Vec<ScaledObjectRef>, answered: Arc<Mutex<Answered>>) {
    let n_objects = u32::try_from(objects.len()).unwrap_or(u32::MAX).max(1);
    let mut ticks = time::interval(POLLING / n_objects);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asking = JoinSet::new();
    for object in objects.iter().cycle() {
        ticks.tick().await;
        while asking.try_join_next().is_some() {}
        let (client, object) = (client.clone(), object.clone());
        let answered = Arc::clone(&answered);
        asking.spawn(async move {
            let asked = ask(client, object).await;
            let mut answered = answered.lock();
            if let Ok((is_active, metrics)) = asked {
                answered.is_active.push(is_active);
                answered.metrics.push(metrics);
            } else {
                answered.n_failed += 1;
            }
        });
    }
}

async fn ask(mut client: Client, object: ScaledObjectRef) -> Result<(f64, f64)> {
    let asked = Instant::now();
    client.is_active(object.clone()).await?;
    let is_active = asked.elapsed().as_secs_f64() * 1e3;
    client.get_metric_spec(object.clone()).await?;
    let asked = Instant::now();
    let request = GetMetricsRequest {
        scaled_object_ref: Some(object),
        metric_name: "concurrency".to_owned(),
    };
    client.get_metrics(request).await?;
    Ok((is_active, asked.elapsed().as_secs_f64() * 1e3))
}

fn object(service: &Service) -> ScaledObjectRef {
    ScaledObjectRef {
        name: service.name.clone(),
        namespace: NAMESPACE.to_owned(),
        scaler_metadata: [
            ("service".to_owned(), service.name.clone()),
            ("pollingInterval".to_owned(), POLLING.as_secs().to_string()),
        ]
        .into(),
    }
}
