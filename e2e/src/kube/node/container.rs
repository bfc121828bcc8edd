//! One container: a real process on the pod's address, started again when it ends.

use std::fs::{File, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::image::Image;
use super::network::Network;
use super::probes::{Event, Probes};
use super::volumes::Volumes;
use super::{Shared, launch};

/// A real kubelet waits 10 s before the first restart and 5 min before the last.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(10);

/// While a Secret that is mounted is not there.
const VOLUMES_PAUSE: Duration = Duration::from_millis(500);

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
    pub(super) shared: Arc<Shared>,
    /// The pod's, if it has one of its own.
    pub(super) network: Option<Arc<Network>>,
    /// Between SIGTERM and SIGKILL.
    pub(super) grace: Duration,
    pub(super) stop: CancellationToken,
    pub(super) tell: Box<dyn Fn(State) + Send + Sync>,
}

impl Run {
    /// Runs it until it is told to stop, or has ended as its pod wants.
    pub(super) async fn run(self) {
        let reference = self.spec.image.clone().unwrap_or_default();
        let image = match Image::find(&reference) {
            None => return self.refuse(&reference).await,
            Some(Err(error)) => return self.fail("ErrImagePull", &error).await,
            Some(Ok(image)) => image,
        };
        let volumes = self.stop.run_until_cancelled(self.volumes(&image));
        let Some(volumes) = volumes.await else {
            return;
        };
        let (mut state, mut pause) = (State::default(), FIRST_RESTART);
        loop {
            let started = Timestamp::now();
            let mut child = match self.start(&image, volumes.as_ref()) {
                Ok(child) => child,
                Err(error) => return self.fail("CreateContainerError", &error).await,
            };
            state.phase = Phase::Running(started);
            let status = self.live(&mut child, &mut state).await;
            let ended = Ended {
                exit_code: status.and_then(|status| status.code()).unwrap_or(137),
                started,
                finished: Timestamp::now(),
            };
            state.is_ready = false;
            if self.stop.is_cancelled() || !self.restarts(&ended) {
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

    /// The pod's volumes, once all that they are made of is there.
    async fn volumes(&self, image: &Image) -> Option<Volumes> {
        if !image.has_root {
            return None;
        }
        loop {
            match Volumes::new(&self.shared, &self.pod, &self.spec.name).await {
                Ok(volumes) => return Some(volumes),
                Err(error) => tracing::debug!(%error, "node: a pod waits for its volumes"),
            }
            time::sleep(VOLUMES_PAUSE).await;
        }
    }

    /// Whether it is started again after such an end.
    fn restarts(&self, ended: &Ended) -> bool {
        let spec = self.pod.spec.as_ref();
        match spec.and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => false,
            Some("OnFailure") => ended.exit_code != 0,
            _ => true,
        }
    }

    /// What cannot be started, until it is told to stop.
    async fn fail(&self, reason: &'static str, error: &anyhow::Error) {
        (self.tell)(State {
            phase: Phase::Waiting(reason, format!("{error:#}")),
            ..State::default()
        });
        self.stop.cancelled().await;
    }

    /// One life, with its readiness, until it ends by itself or has been ended.
    async fn live(&self, child: &mut Child, state: &mut State) -> Option<ExitStatus> {
        let mut probes = Probes::of(&self.spec, self.address);
        state.is_ready = probes.is_ready();
        (self.tell)(state.clone());
        loop {
            tokio::select! {
                status = child.wait() => return status.ok(),
                () = self.stop.cancelled() => return self.end(child).await,
                event = probes.next() => match event {
                    Event::Dead => return self.end(child).await,
                    Event::Ready(is_ready) => {
                        state.is_ready = is_ready;
                        (self.tell)(state.clone());
                    }
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

    fn start(&self, image: &Image, volumes: Option<&Volumes>) -> Result<Child> {
        let log = self.log()?;
        let mut command = launch::command(self, image, volumes)?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share a container's log")?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start a container's process")
    }

    fn log(&self) -> Result<File> {
        let meta = &self.pod.metadata;
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let log = format!(
            "{}_{}_{}.log",
            name(&meta.namespace),
            name(&meta.name),
            self.spec.name
        );
        let path = self.shared.folder.join(log);
        let log = File::options().create(true).append(true).open(path);
        let log = log.context("open a container's log")?;
        // Whoever the container is may open its output by the name /dev/stdout.
        log.set_permissions(Permissions::from_mode(0o666))?;
        Ok(log)
    }
}
