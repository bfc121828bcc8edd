//! Three replicas of a scaler.

use std::net::SocketAddr;

use tokio::{net::TcpSocket, runtime};
use wakegate_core::Workload;
use wakegate_runtime::Tasks;
use wakegate_scaler::Config;

use crate::{
    control_plane::ControlPlane,
    harness::{DEADLINE, Scaler, WEB, config, table, until, web},
    life::get,
    link::Link,
    worker::Worker,
};

pub(crate) const N: usize = 3;

/// Three replicas, and a control plane.
pub(crate) struct Trio {
    pub(crate) control_plane: ControlPlane,
    pub(crate) scalers: Vec<Scaler>,
    /// From each to each, when their network is in the test's hands.
    links: Vec<Vec<Link>>,
    /// What runs beside.
    tasks: Tasks,
}

/// An address that nobody else gets, and at which nobody listens yet.
pub(crate) struct Reserved(TcpSocket);

impl Reserved {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

impl Trio {
    /// Three that know `web`, and each other by their addresses; each knows its own as well.
    pub(crate) async fn start() -> Self {
        Self::of(&[web()], false).await
    }

    /// Three that know these workloads, and may serve the add-on's metrics.
    pub(crate) async fn of(workloads: &[Workload], http_add_on_metrics: bool) -> Self {
        let control_plane = ControlPlane::start(table("v1", workloads)).await;
        let reserved: Vec<_> = (0..N).map(|_| Reserved::new()).collect();
        let all = reserved.iter().map(|reserved| reserved.addr().to_string());
        let peers: Vec<_> = all.collect();
        let mut scalers = Vec::new();
        for reserved in &reserved {
            let config = Config {
                peers: peers.clone(),
                listen: reserved.addr(),
                http_add_on_metrics,
                ..config(control_plane.addr)
            };
            scalers.push(started(config).await);
        }
        let trio = Self {
            control_plane,
            scalers,
            links: Vec::new(),
            tasks: Tasks::default(),
        };
        trio.is_whole().await;
        trio
    }

    /// Three whose network is in the test's hands.
    pub(crate) async fn linked() -> Self {
        let control_plane = ControlPlane::start(table("v1", &[web()])).await;
        let tasks = Tasks::default();
        let mut links = Vec::new();
        for _ in 0..N {
            let mut from = Vec::new();
            for _ in 0..N {
                from.push(Link::start(&tasks).await);
            }
            links.push(from);
        }
        let mut scalers = Vec::new();
        for (from, links) in links.iter().enumerate() {
            let others = links.iter().enumerate();
            let others = others.filter(|(to, _)| *to != from);
            let config = Config {
                peers: others.map(|(_, link)| link.addr.to_string()).collect(),
                ..config(control_plane.addr)
            };
            scalers.push(started(config).await);
        }
        for from in &links {
            for (link, scaler) in from.iter().zip(&scalers) {
                link.to(scaler.addresses.grpc);
            }
        }
        let trio = Self {
            control_plane,
            scalers,
            links,
            tasks,
        };
        trio.is_whole().await;
        trio
    }

    /// Waits until all have heard all.
    async fn is_whole(&self) {
        for scaler in &self.scalers {
            peers_are(scaler, "heard", N - 1).await;
            let ready = async || get(scaler, "/ready").await.starts_with("HTTP/1.1 200");
            until("ready", ready).await;
        }
    }

    /// A worker at each, that holds so many.
    pub(crate) async fn workers(&self, held: [u32; N]) -> Vec<Worker> {
        let mut workers = Vec::new();
        for (at, (scaler, held)) in self.scalers.iter().zip(held).enumerate() {
            let number = u32::try_from(at).unwrap();
            let mut worker = Worker::connect(scaler, 1).await.numbered(number);
            let count = crate::harness::count(held, 0, u64::from(held));
            let said = (held > 0).then_some(count);
            worker.report(true, said.as_slice()).await;
            workers.push(worker);
        }
        workers
    }

    /// Waits until all say that so many are held.
    pub(crate) async fn all_say(&self, held: u32) {
        for scaler in &self.scalers {
            says(scaler, held).await;
        }
    }

    /// The network between one and the others fails, or works again.
    pub(crate) fn split(&self, one: usize, is_split: bool) {
        for (from, links) in self.links.iter().enumerate() {
            for (to, link) in links.iter().enumerate() {
                match (from == one) != (to == one) {
                    true if is_split => link.stall(),
                    true => link.mend(),
                    false => {}
                }
            }
        }
    }

    pub(crate) async fn stop(self) {
        for scaler in self.scalers {
            scaler.tasks.shutdown_token().cancel();
            scaler.tasks.clone().run(DEADLINE).await.unwrap();
            scaler.kill();
        }
        drop(self.tasks);
    }
}

pub(crate) async fn started(config: Config) -> Scaler {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    Scaler::start_as(config, Some(runtime)).await
}

/// Waits until a replica counts so many others that stand so.
pub(crate) async fn peers_are(scaler: &Scaler, standing: &str, n: usize) {
    let line = format!("wakegate_scaler_peers{{standing=\"{standing}\"}} {n}");
    let has_line = async || {
        get(scaler, "/metrics")
            .await
            .lines()
            .any(|other| other == line)
    };
    until(&line, has_line).await;
}

/// Waits until a replica says that so many are held.
pub(crate) async fn says(scaler: &Scaler, held: u32) {
    let says = async || held_by(scaler).await == Some(f64::from(held));
    until(&format!("{held} held"), says).await;
}

/// What a replica answers of `web` whose requests are held: the mean of workers that are new is below.
pub(crate) async fn held_by(scaler: &Scaler) -> Option<f64> {
    let metric = scaler.metric_of(WEB, "concurrency").await;
    metric.ok().map(|(_, held)| held)
}
