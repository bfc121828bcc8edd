//! The client of the control plane: learns workloads from `Routes/Watch`.

mod update;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, Uri};
use wakegate_runtime::{Latch, Role as Part, Transport};
use wakegate_wire::v1::{
    Ack, Hello, Role, Update, WatchRequest, routes_client::RoutesClient, watch_request,
    watch_response,
};

use self::update::Pending;
use crate::{backoff, state::State};

/// The control plane sends a heartbeat each second.
const SILENCE: Duration = Duration::from_secs(3);

/// The pause after the first failure; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: a control plane that is back is found within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause after a stream that the control plane ended well, because it drains or wants its streams to be
/// spread anew.
const MOVE_PAUSE: Duration = Duration::from_millis(50);

/// Chunks stay below 1 MiB.
const MAX_UPDATE_BYTES: usize = 4 << 20;

/// Acks that wait to be sent. The control plane sends no second update before the ack of the first.
const ACKS: usize = 4;

/// The version of `Routes` that this speaks.
const PROTOCOL: u32 = 1;

/// Follows the control plane. While it is away, the last table stays.
#[derive(Debug)]
pub(crate) struct Subscriber {
    uri: Uri,
    transport: Transport,
    name: String,
    state: Arc<State>,
    /// Closed until the first table.
    latch: Option<Latch>,
    /// Of the table in force.
    version: String,
    /// Failures in a row.
    n_failures: u32,
}

impl Subscriber {
    /// Follows the control plane that is there.
    pub(crate) fn new(
        (uri, transport): (Uri, Transport),
        name: String,
        state: Arc<State>,
        latch: Latch,
    ) -> Self {
        Self {
            uri,
            transport,
            name,
            state,
            latch: Some(latch),
            version: String::new(),
            n_failures: 0,
        }
    }

    /// Follows until the shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        loop {
            let outcome = shutdown.run_until_cancelled(self.session()).await;
            self.state.metrics.control_plane_connected.set(0);
            let Some(outcome) = outcome else {
                return Ok(());
            };
            let pause = match outcome {
                Ok(()) => {
                    tracing::debug!(control_plane = %self.uri, "looking for another replica");
                    MOVE_PAUSE.mul_f64(rand::random())
                }
                Err(error) => self.failed(&error),
            };
            if shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// How long to wait then.
    fn failed(&mut self, error: &anyhow::Error) -> Duration {
        let error = format!("{error:#}");
        let pause = self.pause();
        // The first failure is news, the hundredth is not.
        if self.n_failures <= 1 {
            tracing::warn!(control_plane = %self.uri, error, "control plane lost");
        } else {
            tracing::debug!(control_plane = %self.uri, error, ?pause, "control plane away");
        }
        pause
    }

    /// One stream, to its end, which is a good one where the control plane says so and has said something before.
    async fn session(&mut self) -> anyhow::Result<()> {
        let endpoint = Endpoint::from(self.uri.clone())
            .connect_timeout(SILENCE)
            .tcp_nodelay(true);
        let channel = self.transport.connect(endpoint, Part::ControlPlane).await?;
        let mut client = RoutesClient::new(channel).max_decoding_message_size(MAX_UPDATE_BYTES);
        let (acks, requests) = mpsc::channel(ACKS);
        acks.send(self.hello()).await.context("say hello")?;
        let opening = client.watch(ReceiverStream::new(requests));
        let mut responses = timeout(SILENCE, opening)
            .await
            .context("no answer to hello")??
            .into_inner();
        let (mut pending, mut is_proven) = (Pending::default(), false);
        loop {
            let response = timeout(SILENCE, responses.message())
                .await
                .context("silence")??;
            let Some(response) = response else {
                ensure!(is_proven, "the stream ended before it began");
                return Ok(());
            };
            is_proven = true;
            if self.n_failures > 0 || self.state.metrics.control_plane_connected.get() == 0 {
                tracing::info!(control_plane = %self.uri, "control plane found");
                self.state.metrics.control_plane_connected.set(1);
                self.n_failures = 0;
            }
            match response.response {
                Some(watch_response::Response::Update(update)) => {
                    if let Some(ack) = self.take(&mut pending, update) {
                        acks.send(ack).await.context("send ack")?;
                    }
                }
                Some(watch_response::Response::Heartbeat(_)) | None => {}
            }
        }
    }

    /// Takes in one chunk; with the last of an update all of it is in force, or refused whole.
    fn take(&mut self, pending: &mut Pending, chunk: Update) -> Option<WatchRequest> {
        let version = chunk.version.clone();
        let has_table = !self.version.is_empty();
        let start = Instant::now();
        let error = match pending.push(chunk, has_table) {
            Ok(None) => return None,
            Ok(Some(update)) => {
                let n_workloads = update.workloads.len();
                self.state
                    .load(update.full, update.workloads, &update.removed);
                self.version.clone_from(&version);
                self.state.metrics.table("applied");
                tracing::debug!(version, n_workloads, elapsed = ?start.elapsed(), "table updated");
                if let Some(latch) = self.latch.take() {
                    latch.release();
                }
                String::new()
            }
            Err(error) => {
                self.state.metrics.table("refused");
                tracing::warn!(version, %error, "table refused");
                error.to_string()
            }
        };
        let ack = Ack { version, error };
        Some(WatchRequest {
            request: Some(watch_request::Request::Ack(ack)),
        })
    }

    fn hello(&self) -> WatchRequest {
        let hello = Hello {
            proxy: self.name.clone(),
            worker: 0,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            scope: None,
            version: self.version.clone(),
            role: Role::Scaler.into(),
        };
        WatchRequest {
            request: Some(watch_request::Request::Hello(hello)),
        }
    }

    /// How long to wait before the next try.
    fn pause(&mut self) -> Duration {
        let pause = backoff::pause(self.n_failures, FIRST_PAUSE, LONGEST_PAUSE);
        self.n_failures = self.n_failures.saturating_add(1);
        pause
    }
}
