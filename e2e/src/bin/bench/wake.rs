//! From zero: how soon KEDA is told, and how soon a held request reaches an endpoint that is there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use wakegate_e2e::client::{H1, get, read};
use wakegate_e2e::{Background, NAMESPACE, Service, Stack, eventually};
use wakegate_wire::externalscaler::ScaledObjectRef;
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;

use crate::args::Args;
use crate::line::Line;
use crate::subscriber::Subscriber;
use wakegate_e2e::stats::Times;

/// Far beyond what any step takes.
const LIMIT: Duration = Duration::from_secs(20);

/// What the design asks for, in milliseconds.
const TOLD_P99: f64 = 5.0;
const RELEASED_P99: f64 = 2.0;

/// One wake, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// From the request's first byte to the message on KEDA's stream.
    wake: f64,
    /// From the endpoint's being known to the control plane, as a subscriber of it hears, to the first
    /// probe at the backend: until then, Envoy's own endpoint was waited for.
    probe: f64,
    /// The same, to the held request at the backend.
    release: f64,
    /// From before the EndpointSlice's file is written to the held request at the backend.
    arrival: f64,
    /// The same, to the response's headers at the client.
    response: f64,
}

/// Who tells what happens.
#[derive(Debug)]
struct Seen {
    backend: SocketAddr,
    arrived: mpsc::Receiver<Arrival>,
    subscriber: Subscriber,
}

/// A request that reached the backend.
#[derive(Debug)]
struct Arrival {
    is_probe: bool,
    path: String,
    at: Instant,
}

pub(crate) async fn measure(args: &Args) -> Result<Vec<Line>> {
    // Each wakes once: a key stays active for some time after, so that it cannot be woken again soon.
    let services: Vec<_> = (0..args.n_wakes())
        .map(|index| Service::new(&format!("app-{index}")))
        .collect();
    let stack = Stack::of(&services.iter().collect::<Vec<_>>()).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
    let backend = listener
        .local_addr()
        .context("ask for the backend's address")?;
    let (arrivals, arrived) = mpsc::channel(16);
    let _serving = Background::start(serve(listener, arrivals));
    let uri = format!("http://{}", stack.scaler.addresses().grpc);
    let client = ExternalScalerClient::new(Endpoint::from_shared(uri)?.connect_lazy());

    let subscriber = Subscriber::open(stack.control_plane.addresses().grpc).await?;
    let mut seen = Seen {
        backend,
        arrived,
        subscriber,
    };

    let mut samples = Vec::new();
    for service in &services {
        let told = watch(&client, service).await?;
        samples.push(wake(&stack, service, told, &mut seen).await?);
    }
    stack.finish().await?;
    let times = |of: fn(&Sample) -> f64| Times::of(samples.iter().map(of).collect());
    let line = |what: &str, of| Line::new("wake", what).times(&times(of));
    let told = "request at zero → `true` on KEDA's stream";
    let probed = "endpoint known to the control plane → probe at the backend";
    let released = "endpoint known to the control plane → held request at the backend";
    let arrived = "endpoint's file written → held request at the backend";
    let answered = "endpoint's file written → response at the client";
    Ok(vec![
        line(told, |it| it.wake).at_most("p99", TOLD_P99),
        line(probed, |it| it.probe),
        line(released, |it| it.release).at_most("p99", RELEASED_P99),
        line(arrived, |it| it.arrival),
        line(answered, |it| it.response),
    ])
}

async fn wake(stack: &Stack, service: &Service, told: Told, seen: &mut Seen) -> Result<Sample> {
    let path = format!("/held/{}", service.name);
    let mut connection = H1::open(stack.address()?).await?;
    let request = get(&service.url(&path))?;
    let (answered, response) = oneshot::channel();
    let asked = Instant::now();
    let _request = Background::start(async move {
        let response = connection
            .send(request)
            .await
            .map(|response| (Instant::now(), response));
        // The receiver is gone only when the bench has failed already.
        drop(answered.send(response));
    });
    let told = timeout(LIMIT, told.when).await.context("KEDA is told")??;

    let written = Instant::now();
    stack.manifests.put_endpoint(service, Some(seen.backend))?;
    let known = seen.subscriber.ready(&service.backend(), LIMIT).await?;
    let first = seen.arrival().await?;
    let probed = first.at;
    let arrival = if first.is_probe {
        seen.arrival().await?
    } else {
        first
    };
    ensure!(
        !arrival.is_probe && arrival.path == path,
        "{arrival:?} reached the backend, not {path}"
    );
    let (answered, response) = timeout(LIMIT, response)
        .await
        .context("the answer comes")???;
    let answer = read(response).await?;
    ensure!(answer.status == 200, "answered with {}", answer.status);
    Ok(Sample {
        wake: millis(asked, told),
        probe: millis(known, probed),
        release: millis(known, arrival.at),
        arrival: millis(written, arrival.at),
        response: millis(written, answered),
    })
}

impl Seen {
    /// The next request that reaches the backend.
    async fn arrival(&mut self) -> Result<Arrival> {
        timeout(LIMIT, self.arrived.recv())
            .await
            .context("a request reaches the backend")?
            .context("the backend runs")
    }
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

/// When `true` came, and the task that waits for it.
struct Told {
    when: oneshot::Receiver<Instant>,
    _waiting: Background,
}

/// Opens KEDA's stream for a Service, once the scaler says that it is idle.
async fn watch(client: &ExternalScalerClient<Channel>, service: &Service) -> Result<Told> {
    let object = ScaledObjectRef {
        name: service.name.clone(),
        namespace: NAMESPACE.to_owned(),
        scaler_metadata: [("service".to_owned(), service.name.clone())].into(),
    };
    eventually(
        LIMIT,
        "the scaler knows that the Service is idle",
        async || {
            let answer = client.clone().is_active(object.clone()).await.ok()?;
            (!answer.into_inner().result).then_some(())
        },
    )
    .await?;
    let mut client = client.clone();
    let mut stream = client.stream_is_active(object.clone()).await?.into_inner();
    let (tell, when) = oneshot::channel();
    let waiting = Background::start(async move {
        loop {
            match stream.message().await {
                Ok(Some(message)) if message.result => break,
                Ok(Some(_)) => {}
                // Streams end once after the scaler's start; KEDA opens them again, and so do we.
                Ok(None) | Err(_) => match client.stream_is_active(object.clone()).await {
                    Ok(again) => stream = again.into_inner(),
                    Err(_) => return,
                },
            }
        }
        let _ = tell.send(Instant::now());
    });
    Ok(Told {
        when,
        _waiting: waiting,
    })
}

/// Answers every request at once, and tells of each.
async fn serve(listener: TcpListener, arrivals: mpsc::Sender<Arrival>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer_all(stream, arrivals.clone()));
    }
}

async fn answer_all(mut stream: TcpStream, arrivals: mpsc::Sender<Arrival>) -> Option<()> {
    let mut received = Vec::new();
    loop {
        let n_read = stream.read_buf(&mut received).await.ok()?;
        let now = Instant::now();
        if n_read == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&received).into_owned();
        // No request here has a body, and none comes before the last one's answer.
        if !text.ends_with("\r\n\r\n") {
            continue;
        }
        received.clear();
        let mut line = text.split(' ');
        let is_get = line.next() == Some("GET");
        let path = line.next().unwrap_or_default().to_owned();
        let arrival = Arrival {
            is_probe: !is_get,
            path,
            at: now,
        };
        arrivals.send(arrival).await.ok()?;
        let body = if is_get { "ok\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
