//! One container: a real process on the pod's address, started again when it ends.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use super::probe::Probe;
use crate::programs;

/// The one image that there is.
const IMAGE: &str = "wakegate/sample-app";

/// A real kubelet waits 10 s before the first restart and 5 min before the last.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(10);

/// How a container is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) is_ready: bool,
    pub(super) n_restarts: u32,
    /// The end before this life.
    pub(super) last: Option<Ended>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// It does not run yet, or not again: a reason and words.
    Waiting(&'static str, String),
    /// Since when.
    Running(Timestamp),
    /// It ran, and will not again.
    Ended(Ended),
}

/// The end of a life.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) exit_code: i32,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Waiting("ContainerCreating", String::new())
    }
}

/// What a container is run with.
pub(super) struct Run {
    pub(super) pod: Arc<Pod>,
    pub(super) spec: Container,
    pub(super) address: Ipv4Addr,
    pub(super) folder: PathBuf,
    /// Between SIGTERM and SIGKILL.
    pub(super) grace: Duration,
    pub(super) stop: CancellationToken,
    pub(super) tell: Box<dyn Fn(State) + Send + Sync>,
}

impl Run {
    /// Runs it until it is told to stop.
    pub(super) async fn run(self) {
        let image = self.spec.image.clone().unwrap_or_default();
        if image.split(':').next() != Some(IMAGE) {
            return self.refuse(&image).await;
        }
        let (mut state, mut pause) = (State::default(), FIRST_RESTART);
        loop {
            let started = Timestamp::now();
            let mut child = match self.start() {
                Ok(child) => child,
                Err(error) => {
                    state.phase = Phase::Waiting("CreateContainerError", format!("{error:#}"));
                    (self.tell)(state);
                    return self.stop.cancelled().await;
                }
            };
            state.phase = Phase::Running(started);
            let status = self.live(&mut child, &mut state).await;
            let ended = Ended {
                exit_code: status.and_then(|status| status.code()).unwrap_or(137),
                started,
                finished: Timestamp::now(),
            };
            state.is_ready = false;
            if self.stop.is_cancelled() {
                state.phase = Phase::Ended(ended);
                return (self.tell)(state);
            }
            state.last = Some(ended);
            state.n_restarts += 1;
            let words = format!("back-off {pause:?} restarting failed container");
            state.phase = Phase::Waiting("CrashLoopBackOff", words);
            (self.tell)(state.clone());
            tokio::select! {
                () = time::sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
            pause = (pause * 2).min(LAST_RESTART);
        }
    }

    /// One life, with its readiness, until it ends by itself or has been ended.
    async fn live(&self, child: &mut Child, state: &mut State) -> Option<ExitStatus> {
        let mut probe = Probe::of(&self.spec, self.address);
        state.is_ready = probe.is_none();
        (self.tell)(state.clone());
        loop {
            let change = async {
                match &mut probe {
                    Some(probe) => probe.change().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                status = child.wait() => return status.ok(),
                () = self.stop.cancelled() => return self.end(child).await,
                is_ready = change => {
                    state.is_ready = is_ready;
                    (self.tell)(state.clone());
                }
            }
        }
    }

    async fn end(&self, child: &mut Child) -> Option<ExitStatus> {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended meanwhile, which is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
        if let Ok(status) = time::timeout(self.grace, child.wait()).await {
            return status.ok();
        }
        drop(child.start_kill());
        child.wait().await.ok()
    }

    /// An image that nobody has.
    async fn refuse(&self, image: &str) {
        let tell = |reason, words| {
            (self.tell)(State {
                phase: Phase::Waiting(reason, words),
                ..State::default()
            });
        };
        tell(
            "ErrImagePull",
            format!("failed to pull and unpack image \"{image}\": not found"),
        );
        tokio::select! {
            () = time::sleep(FIRST_RESTART) => {}
            () = self.stop.cancelled() => return,
        }
        tell(
            "ImagePullBackOff",
            format!("Back-off pulling image \"{image}\""),
        );
        self.stop.cancelled().await;
    }

    fn start(&self) -> Result<Child> {
        let environment = Environment::of(&self.pod, &self.spec, self.address);
        let meta = &self.pod.metadata;
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let log = format!(
            "{}_{}_{}.log",
            name(&meta.namespace),
            name(&meta.name),
            self.spec.name
        );
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(log))
            .context("open a container's log")?;
        let commands = self.spec.command.iter().flatten().skip(1);
        let arguments = self.spec.args.iter().flatten();
        let arguments = commands.chain(arguments);
        Command::new(programs::ours("sample-app")?)
            .args(arguments.map(|argument| environment.expand(argument)))
            .envs(environment.variables())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share a container's log")?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start a container's process")
    }
}
