//! The processes of a cluster: started, looked after, stopped, stalled.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::{Client, Config};
use anyhow::{Context, Result, anyhow, bail, ensure};
use http::Request;
use parking_lot::Mutex;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::{self, Instant};

use super::layout::{ADMIN, Layout};
use super::program::Program;
use crate::client::{Version, fetch, get};
use crate::process::Process;

/// For one program, on a machine that starts all of them at once and runs other tests.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(25);
/// For one look.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// Above what KEDA and the API server take to drain.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What runs of one cluster.
#[derive(Debug)]
pub(crate) struct Running {
    pub(super) layout: Layout,
    processes: Mutex<BTreeMap<Program, Process>>,
}

impl Running {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            processes: Mutex::default(),
        }
    }

    /// Starts one. The kernel ends a child with the thread that started it: only threads that live as long
    /// as the cluster may call this.
    pub(super) fn start(&self, program: Program) -> Result<()> {
        let mut processes = self.processes.lock();
        ensure!(
            !processes.contains_key(&program),
            "{} runs already",
            program.name()
        );
        let log = self.layout.log(program.name());
        let command = program.command(&self.layout)?;
        let environment = program.environment(&self.layout);
        let (path, args) = command.split_first().context("a command has a program")?;
        let process = Process::start_with(Path::new(path), args, environment, &log)?;
        processes.insert(program, process);
        Ok(())
    }

    /// Starts one and waits until it answers.
    pub(super) async fn start_ready(&self, program: Program) -> Result<()> {
        self.start(program)?;
        self.ready(program).await
    }

    /// Ends one at once, as a crash would.
    pub(super) fn kill(&self, program: Program) -> Result<()> {
        self.take(program)?.kill()
    }

    /// Ends one with SIGTERM and waits for its end, whatever its exit status.
    pub(super) async fn terminate(&self, program: Program) -> Result<()> {
        let process = self.take(program)?;
        process.terminate(STOP_LIMIT).await.map(drop)
    }

    pub(super) fn kill_all(&self) {
        self.processes.lock().clear();
    }

    /// Stops one where it is, or lets it go on: its connections stay open, and nobody answers.
    pub(super) fn signal(&self, program: Program, signal: Signal) -> Result<()> {
        let processes = self.processes.lock();
        let process = processes
            .get(&program)
            .with_context(|| format!("{} does not run", program.name()))?;
        process.signal(signal)
    }

    /// An error when one has ended by itself.
    pub(crate) fn are_well(&self) -> Result<()> {
        for (program, process) in self.processes.lock().iter_mut() {
            if let Some(status) = process.ended()? {
                let name = program.name();
                bail!("{name} ended with {status}:\n{}", self.tail(name, 30));
            }
        }
        Ok(())
    }

    /// Waits until one answers.
    pub(super) async fn ready(&self, program: Program) -> Result<()> {
        self.wait(program.name(), READY_LIMIT, || self.look(program))
            .await
            .with_context(|| self.tail(program.name(), 30))
    }

    /// Waits until `look` succeeds; fails early when a program has ended.
    pub(super) async fn wait<F>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> F + Send,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let end = Instant::now() + limit;
        loop {
            let seen = time::timeout(LOOK_LIMIT, look()).await;
            let error = match seen {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => anyhow!("no answer within {LOOK_LIMIT:?}"),
            };
            self.are_well()?;
            if Instant::now() >= end {
                return Err(error.context(format!("not ready within {limit:?}: {what}")));
            }
            time::sleep(PAUSE).await;
        }
    }

    /// One look at whether it answers.
    async fn look(&self, program: Program) -> Result<()> {
        let ports = &self.layout.ports;
        match program {
            Program::Etcd => answers(ports.etcd, "/health").await,
            Program::ApiServer => self.serves(ports.api_server, "/readyz").await,
            Program::ControllerManager => self.serves(ports.controller_manager, "/healthz").await,
            Program::KedaOperator => {
                answers(ports.operator_probe, "/readyz").await?;
                listens(ports.operator_grpc).await
            }
            // Through the API server, as the HPA asks.
            Program::KedaAdapter => {
                let path = "/apis/external.metrics.k8s.io/v1beta1";
                self.serves(ports.api_server, path).await
            }
            Program::KedaWebhooks => {
                answers(ports.webhooks_probe, "/readyz").await?;
                listens(ports.webhooks).await
            }
        }
    }

    /// A client of the API server, on the caller's runtime.
    pub(crate) async fn client(&self) -> Result<Client> {
        client_of(&self.layout.kubeconfig(ADMIN)).await
    }

    /// A GET over TLS that must succeed.
    async fn serves(&self, port: u16, path: &str) -> Result<()> {
        let mut config = config_of(&self.layout.kubeconfig(ADMIN)).await?;
        config.cluster_url = format!("https://127.0.0.1:{port}").parse()?;
        let client = Client::try_from(config).context("make a client")?;
        let request = Request::get(path).body(Vec::new())?;
        client.request_text(request).await?;
        Ok(())
    }

    /// The last lines of one log.
    pub(super) fn tail(&self, name: &str, n_lines: usize) -> String {
        self.last_lines(name, n_lines, |_| true)
    }

    /// The last lines of every log, or the last that name `what`.
    pub(crate) fn tails(&self, n_lines: usize, what: Option<&str>) -> String {
        let tails = Program::ALL.iter().map(|program| {
            let name = program.name();
            self.last_lines(name, n_lines, |line| {
                what.is_none_or(|what| line.contains(what))
            })
        });
        tails.collect()
    }

    fn last_lines(&self, name: &str, n_lines: usize, wanted: impl Fn(&str) -> bool) -> String {
        let path = self.layout.log(name);
        let text = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().filter(|line| wanted(line)).collect();
        let tail = lines
            .get(lines.len().saturating_sub(n_lines)..)
            .unwrap_or_default();
        format!("--- {}\n{}\n", path.display(), tail.join("\n"))
    }

    fn take(&self, program: Program) -> Result<Process> {
        let process = self.processes.lock().remove(&program);
        process.with_context(|| format!("{} does not run", program.name()))
    }
}

/// A client with the credentials of a kubeconfig.
pub(crate) async fn client_of(kubeconfig: &Path) -> Result<Client> {
    let config = config_of(kubeconfig).await?;
    Client::try_from(config).context("make a client")
}

async fn config_of(path: &Path) -> Result<Config> {
    let kubeconfig = Kubeconfig::read_from(path).context("read the kubeconfig")?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .context("understand the kubeconfig")
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A GET that must be answered with 200.
async fn answers(port: u16, path: &str) -> Result<()> {
    let request = get(&format!("http://localhost{path}"))?;
    let answer = fetch(Version::H1, at(port), request).await?;
    ensure!(answer.status == 200, "{path} says {}", answer.status);
    Ok(())
}

async fn listens(port: u16) -> Result<()> {
    TcpStream::connect(at(port)).await?;
    Ok(())
}
