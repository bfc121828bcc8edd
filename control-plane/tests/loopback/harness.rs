//! A control plane in this process, on a directory of its own, and clients of it.

use std::{fs, future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status, Streaming,
    transport::{Channel, Endpoint, Server},
};
use wakegate_control_plane::{
    eds::Eds,
    index::{Index, Origin},
    metrics::Metrics,
    peers::Peers,
    publish::Publisher,
    push::{Acks, Applied, Push, Workers},
    snapshot::Snapshot,
    source::files::Files,
};
use wakegate_runtime::{StreamAge, Transport};
use wakegate_wire::v1::{
    self, routes_client::RoutesClient, watch_request::Request, watch_response::Response,
};

/// Long enough for a busy machine; no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct ControlPlane {
    pub(crate) workers: Workers,
    pub(crate) acks: Acks,
    pub(crate) shutdown: CancellationToken,
    dir: TempDir,
    pub(crate) addr: SocketAddr,
    publisher: Option<Publisher>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    parts: JoinSet<()>,
}

/// One subscriber.
pub(crate) struct Client {
    requests: mpsc::Sender<v1::WatchRequest>,
    responses: Streaming<v1::WatchResponse>,
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come in {LIMIT:?}"))
}

pub(crate) fn hello() -> v1::Hello {
    v1::Hello {
        proxy: "envoy-1".to_owned(),
        protocol: 1,
        ..v1::Hello::default()
    }
}

impl ControlPlane {
    /// Serves, and has read nothing yet.
    pub(crate) async fn unloaded() -> Self {
        Self::of(&Transport::PlainText, StreamAge::default()).await
    }

    /// The same, by way of `transport`.
    pub(crate) async fn over(transport: &Transport) -> Self {
        Self::of(transport, StreamAge::default()).await
    }

    /// The same, whose streams get so old.
    pub(crate) async fn aging(stream_age: StreamAge) -> Self {
        Self::of(&Transport::PlainText, stream_age).await
    }

    async fn of(transport: &Transport, stream_age: StreamAge) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, snapshots) = watch::channel(None);
        let metrics = Metrics::register(&mut Registry::default());
        let (workers, shutdown) = (Workers::default(), CancellationToken::new());
        let push = Push::new(
            snapshots.clone(),
            workers.clone(),
            metrics.clone(),
            stream_age,
            shutdown.clone(),
        );
        let acks = push.acks();
        let peers = Peers::new(workers.clone(), shutdown.clone());
        let eds = Eds::new(
            snapshots.clone(),
            metrics.clone(),
            stream_age,
            shutdown.clone(),
        );
        let mut parts = JoinSet::new();
        let stop = shutdown.clone().cancelled_owned();
        let incoming = transport.incoming(listener);
        parts.spawn(async move {
            Server::builder()
                .add_service(push.into_service())
                .add_service(peers.into_service())
                .add_service(eds.endpoint_service())
                .add_service(eds.aggregated_service())
                .serve_with_incoming_shutdown(incoming, stop)
                .await
                .unwrap();
        });
        let dir = tempfile::tempdir().unwrap();
        let publisher = Some(Publisher::new(Index::default(), sender, metrics));
        Self {
            workers,
            acks,
            shutdown,
            dir,
            addr,
            publisher,
            snapshots,
            parts,
        }
    }

    /// Serves what `text` says.
    pub(crate) async fn with(text: &str) -> Self {
        let mut this = Self::unloaded().await;
        this.write("first.yaml", text);
        this.load();
        this
    }

    /// Reads the directory and watches it from now on.
    pub(crate) fn load(&mut self) {
        let mut publisher = self.publisher.take().unwrap();
        let dir = self.dir.path().canonicalize().unwrap();
        let (files, first) = Files::open(dir).unwrap();
        publisher.publish(first);
        let shutdown = self.shutdown.clone();
        self.parts.spawn(async move {
            files
                .run(|reload| publisher.publish(reload), shutdown)
                .await
                .unwrap();
        });
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a file in its place by a rename.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let staged = self.path(&format!(".{name}.tmp"));
        fs::write(&staged, text).unwrap();
        fs::rename(staged, self.path(name)).unwrap();
    }

    /// Waits for a snapshot.
    pub(crate) async fn until(
        &self,
        what: &str,
        holds: impl Fn(&Snapshot) -> bool,
    ) -> Arc<Snapshot> {
        let mut snapshots = self.snapshots.clone();
        let holds = |snapshot: &Option<Arc<Snapshot>>| snapshot.as_deref().is_some_and(&holds);
        let found = soon(what, snapshots.wait_for(holds)).await.unwrap();
        Arc::clone(found.as_ref().unwrap())
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.addr)).unwrap();
        soon("a connection", endpoint.connect()).await.unwrap()
    }

    pub(crate) async fn watch(&self, hello: v1::Hello) -> Client {
        self.try_watch(Request::Hello(hello)).await.unwrap()
    }

    pub(crate) async fn try_watch(&self, first: Request) -> Result<Client, Status> {
        Client::open(self.channel().await, first).await
    }

    /// Waits until all parts have ended.
    pub(crate) async fn ended(mut self) {
        soon("the end", async {
            while self.parts.join_next().await.is_some() {}
        })
        .await;
    }
}

impl Client {
    pub(crate) async fn open(channel: Channel, first: Request) -> Result<Self, Status> {
        let (requests, stream) = mpsc::channel(8);
        requests
            .send(v1::WatchRequest {
                request: Some(first),
            })
            .await
            .unwrap();
        let mut client = RoutesClient::new(channel);
        let responses = soon("a stream", client.watch(ReceiverStream::new(stream))).await?;
        Ok(Self {
            requests,
            responses: responses.into_inner(),
        })
    }
}

impl ControlPlane {
    /// Waits until the workers that routes of `namespace` go to are so far with all that was published.
    pub(crate) async fn until_applied(&self, namespace: &str, expected: Applied) {
        let origin = Origin {
            namespace: namespace.to_owned(),
            ..Origin::default()
        };
        let (origins, mut snapshots) = ([Arc::new(origin)], self.snapshots.clone());
        let mut changed = self.acks.changed();
        soon(&format!("{expected:?}"), async {
            loop {
                let snapshot = snapshots.borrow_and_update().clone().unwrap();
                if self.acks.applied(&snapshot, &origins) == expected {
                    return;
                }
                tokio::select! {
                    changed = changed.changed() => changed.unwrap(),
                    changed = snapshots.changed() => changed.unwrap(),
                }
            }
        })
        .await;
    }
}

impl Client {
    /// What comes next; nothing at a good end.
    pub(crate) async fn next(&mut self) -> Option<Response> {
        let message = soon("a message", self.responses.message()).await.unwrap();
        message.map(|message| message.response.unwrap())
    }

    /// The workers in the next heartbeat.
    pub(crate) async fn heartbeat(&mut self) -> u32 {
        match self.next().await.unwrap() {
            Response::Heartbeat(heartbeat) => heartbeat.workers,
            Response::Update(update) => panic!("an update came: {update:?}"),
        }
    }

    /// The next update, of one chunk.
    pub(crate) async fn update(&mut self) -> v1::Update {
        loop {
            match self.next().await.unwrap() {
                Response::Update(update) => {
                    assert!(update.last);
                    return update;
                }
                Response::Heartbeat(_) => {}
            }
        }
    }

    /// The next update, acked.
    pub(crate) async fn applied(&mut self) -> v1::Update {
        let update = self.update().await;
        self.ack(&update.version, "").await;
        update
    }

    pub(crate) async fn ack(&self, version: &str, error: &str) {
        let ack = v1::Ack {
            version: version.to_owned(),
            error: error.to_owned(),
        };
        let request = v1::WatchRequest {
            request: Some(Request::Ack(ack)),
        };
        self.requests.send(request).await.unwrap();
    }
}

/// A Service and a route to it, ours.
pub(crate) fn shop(name: &str) -> String {
    format!(
        r#"---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop, annotations: {{wakegate.dev/scaled-object: external}}}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: shop, annotations: {{wakegate.dev/scale-to-zero: "true"}}}}
spec:
  hostnames: [{name}.example.com]
  rules: [{{backendRefs: [{{name: {name}, port: 80}}]}}]
"#
    )
}

/// The endpoints of such a Service.
pub(crate) fn endpoints(name: &str, addresses: &[&str]) -> String {
    let addresses = addresses
        .iter()
        .map(|address| format!("{{addresses: ['{address}']}}"));
    let addresses: Vec<String> = addresses.collect();
    format!(
        "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{}]
",
        addresses.join(", ")
    )
}
