//! Demand in: one stream for each worker.

mod speakers;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use wakegate_core::{Instance, LedgerError, Report};
use wakegate_runtime::{Clients, Peer, Refusals, Role, StreamAge, StreamEnd, refusals::is_garbage};
use wakegate_wire::{
    decode_report,
    v1::{ReportRequest, ReportResponse, demand_server::Demand},
};

use self::speakers::{Speakers, Voice};
use crate::{metrics::OpenStream, state::State};

/// A report contradicts the protocol, or is of more than one worker may have.
const REPORT: &str = "report";

/// Another stream speaks for the worker, or a later life of it.
const IDENTITY: &str = "identity";

/// Workers, keys and tables are as many as are stored.
const ROOM: &str = "room";

/// No report came.
const SILENT: &str = "silent";

/// A worker gives a stream up after 3 s of silence.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The first report follows the stream's opening at once, and one follows the other each second, with news or
/// without; who opens a stream and says nothing, or says half of something, is no worker.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves `wakegate.v1.Demand`.
#[derive(Debug)]
pub(crate) struct DemandServer {
    state: Arc<State>,
    clients: Clients,
    speakers: Arc<Speakers>,
    stream_age: StreamAge,
    drain: CancellationToken,
}

type Acks = Pin<Box<dyn Stream<Item = Result<ReportResponse, Status>> + Send>>;

/// One worker's stream.
struct Session {
    state: Arc<State>,
    drain: CancellationToken,
    reports: Streaming<ReportRequest>,
    speakers: Arc<Speakers>,
    worker: Option<(Instance, Voice)>,
    heard: Instant,
    acked: u64,
    heartbeat: Interval,
    /// When the worker is to look for a replica anew.
    end: StreamEnd,
    is_over: bool,
    _open: OpenStream,
}

impl DemandServer {
    /// Its streams get as old as `stream_age` says.
    pub(crate) fn new(
        state: Arc<State>,
        clients: Clients,
        stream_age: StreamAge,
        drain: CancellationToken,
    ) -> Self {
        Self {
            state,
            clients,
            stream_age,
            speakers: Arc::default(),
            drain,
        }
    }
}

#[tonic::async_trait]
impl Demand for DemandServer {
    type ReportStream = Acks;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Acks>, Status> {
        let peer = Peer::of(&request);
        peer.require(Role::Filter)?;
        let place = self.clients.admit(peer.address());
        let place = place.map_err(|full| self.state.metrics.refusals.no_place(full))?;
        // A worker that comes before what others know of it would begin a history of its own.
        let synced = self.state.synced().cancelled();
        self.drain.run_until_cancelled(synced).await;
        let heard = Instant::now();
        let mut heartbeat = interval_at(heard + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let session = Session {
            state: Arc::clone(&self.state),
            drain: self.drain.clone(),
            reports: request.into_inner(),
            speakers: Arc::clone(&self.speakers),
            worker: None,
            heard,
            acked: 0,
            heartbeat,
            end: self.stream_age.some_end(),
            is_over: false,
            _open: self.state.metrics.stream("Report"),
        };
        let acks = stream::unfold(session, Session::next);
        Ok(Response::new(Box::pin(self.clients.guard(place, acks))))
    }
}

impl Session {
    /// The next ack; none when the stream ends with OK.
    async fn next(mut self) -> Option<(Result<ReportResponse, Status>, Self)> {
        if self.is_over {
            return None;
        }
        let drain = self.drain.clone();
        tokio::select! {
            () = drain.cancelled() => None,
            () = self.end.due() => None,
            report = self.reports.next() => {
                self.heard = Instant::now();
                let answer = match report? {
                    Ok(report) => drain.run_until_cancelled(self.take(report)).await?,
                    Err(status) => Err(self.broken(status)?),
                };
                self.is_over = answer.is_err();
                self.heartbeat.reset();
                Some((answer, self))
            }
            _ = self.heartbeat.tick() => {
                if self.heard.elapsed() > PATIENCE {
                    let status = Status::invalid_argument("no report came");
                    self.refuse(SILENT, &status);
                    self.is_over = true;
                    return Some((Err(status), self));
                }
                let ack = ReportResponse { acked: self.acked, wants_keys: false };
                Some((Ok(ack), self))
            }
        }
    }

    async fn take(&mut self, request: ReportRequest) -> Result<ReportResponse, Status> {
        let answer = match self.open(request).await {
            Ok(report) => self.apply(report),
            Err((reason, status)) => Err((reason, status)),
        };
        answer.map_err(|(reason, status)| {
            self.state.metrics.report("refused");
            self.refuse(reason, &status);
            status
        })
    }

    /// What a report says, once it is sure that this stream may say it.
    async fn open(&mut self, request: ReportRequest) -> Result<Report, (&'static str, Status)> {
        let wrong = |text: &str| (REPORT, Status::invalid_argument(text));
        let release = request.instance.as_ref().map(|named| named.release.clone());
        let (instance, report) =
            decode_report(request).map_err(|error| wrong(&error.to_string()))?;
        match (&self.worker, instance) {
            (None, None) => return Err(wrong("the first report names no instance")),
            (None, Some(_)) if !report.full => {
                return Err(wrong("the first report of a stream must be full"));
            }
            (None, Some(instance)) => {
                let voice = self.speakers.claim(&instance).await;
                let voice = voice.map_err(|_| spoken())?;
                let (proxy, worker, boot_id) = (&instance.proxy, instance.worker, instance.boot_id);
                tracing::debug!(%proxy, worker, boot_id, release, "worker reports");
                self.worker = Some((instance, voice));
            }
            (Some((first, _)), Some(instance)) if *first != instance => {
                return Err(wrong("a stream is of one instance"));
            }
            (Some((_, voice)), _) => voice.speak().map_err(|_| spoken())?,
        }
        Ok(report)
    }

    fn apply(&mut self, report: Report) -> Result<ReportResponse, (&'static str, Status)> {
        let Some((instance, _)) = &self.worker else {
            return Err((REPORT, Status::internal("nobody reports")));
        };
        let applied = self.state.report(instance, report);
        let applied = applied.map_err(|error| refused(&error))?;
        self.state
            .metrics
            .report(if applied.taken { "taken" } else { "repeated" });
        self.acked = applied.sequence;
        Ok(ReportResponse {
            acked: applied.sequence,
            wants_keys: applied.wants_keys,
        })
    }

    /// A stream that broke off is nothing new; what came on it and is no report is told to who sent it.
    fn broken(&self, status: Status) -> Option<Status> {
        if !is_garbage(&status) {
            tracing::debug!(proxy = self.proxy(), error = %status, "report stream broke");
            return None;
        }
        self.refuse(Refusals::GARBAGE, &status);
        Some(status)
    }

    fn refuse(&self, reason: &'static str, status: &Status) {
        let refusals = &self.state.metrics.refusals;
        refusals.refuse(reason, self.proxy(), status);
    }

    fn proxy(&self) -> &str {
        self.worker
            .as_ref()
            .map_or("", |(instance, _)| &instance.proxy)
    }
}

fn spoken() -> (&'static str, Status) {
    let text =
        "another stream speaks for this worker: is node.id the same in two proxies?".to_owned();
    (IDENTITY, Status::aborted(text))
}

fn refused(error: &LedgerError) -> (&'static str, Status) {
    let text = error.to_string();
    match error {
        LedgerError::NoProxyName
        | LedgerError::ProxyNameTooLong(_)
        | LedgerError::KeyLength(_)
        | LedgerError::WrongDigest
        | LedgerError::Page(_) => (REPORT, Status::invalid_argument(text)),
        LedgerError::EarlierLife => (IDENTITY, Status::failed_precondition(text)),
        LedgerError::TooManyKeys(_) => (REPORT, Status::resource_exhausted(text)),
        LedgerError::TooManyInstances | LedgerError::Full | LedgerError::TooManyTables => {
            (ROOM, Status::resource_exhausted(text))
        }
    }
}
