//! Demand in: one stream for each worker.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use wakegate_core::{Instance, LedgerError};
use wakegate_wire::{
    decode_report,
    v1::{ReportRequest, ReportResponse, demand_server::Demand},
};

use crate::{metrics::OpenStream, state::State};

/// A worker gives a stream up after 3 s of silence.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The first report follows the stream's opening at once; who opens one and says nothing is no worker.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves `wakegate.v1.Demand`.
#[derive(Debug)]
pub(crate) struct DemandServer {
    state: Arc<State>,
    drain: CancellationToken,
}

type Acks = Pin<Box<dyn Stream<Item = Result<ReportResponse, Status>> + Send>>;

/// One worker's stream.
struct Session {
    state: Arc<State>,
    drain: CancellationToken,
    reports: Streaming<ReportRequest>,
    instance: Option<Instance>,
    opened: Instant,
    acked: u64,
    heartbeat: Interval,
    is_over: bool,
    _open: OpenStream,
}

impl DemandServer {
    pub(crate) fn new(state: Arc<State>, drain: CancellationToken) -> Self {
        Self { state, drain }
    }
}

#[tonic::async_trait]
impl Demand for DemandServer {
    type ReportStream = Acks;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Acks>, Status> {
        let opened = Instant::now();
        let mut heartbeat = interval_at(opened + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let session = Session {
            state: Arc::clone(&self.state),
            drain: self.drain.clone(),
            reports: request.into_inner(),
            instance: None,
            opened,
            acked: 0,
            heartbeat,
            is_over: false,
            _open: self.state.metrics.stream("Report"),
        };
        Ok(Response::new(Box::pin(stream::unfold(
            session,
            Session::next,
        ))))
    }
}

impl Session {
    /// The next ack; none when the stream ends with OK.
    async fn next(mut self) -> Option<(Result<ReportResponse, Status>, Self)> {
        if self.is_over {
            return None;
        }
        tokio::select! {
            () = self.drain.cancelled() => None,
            report = self.reports.next() => {
                let answer = match report? {
                    Ok(report) => self.take(report),
                    Err(status) => {
                        tracing::debug!(proxy = self.proxy(), error = %status, "report stream broke");
                        return None;
                    }
                };
                self.is_over = answer.is_err();
                self.heartbeat.reset();
                Some((answer, self))
            }
            _ = self.heartbeat.tick() => {
                if self.instance.is_none() && self.opened.elapsed() > PATIENCE {
                    self.is_over = true;
                    return Some((Err(Status::invalid_argument("no report came")), self));
                }
                let ack = ReportResponse { acked: self.acked, wants_keys: false };
                Some((Ok(ack), self))
            }
        }
    }

    fn take(&mut self, request: ReportRequest) -> Result<ReportResponse, Status> {
        let answer = self.apply(request);
        if let Err(status) = &answer {
            self.state.metrics.report("refused");
            tracing::warn!(
                proxy = self.proxy(),
                error = status.message(),
                "report refused"
            );
        }
        answer
    }

    fn apply(&mut self, request: ReportRequest) -> Result<ReportResponse, Status> {
        let named = request.instance.clone();
        let (instance, report) =
            decode_report(request).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let instance = match (&self.instance, instance) {
            (None, None) => {
                return Err(Status::invalid_argument(
                    "the first report names no instance",
                ));
            }
            (None, Some(_)) if !report.full => {
                return Err(Status::invalid_argument(
                    "the first report of a stream must be full",
                ));
            }
            (None, Some(instance)) => {
                let release = named.map(|named| named.release);
                let Instance {
                    proxy,
                    worker,
                    boot_id,
                } = &instance;
                tracing::debug!(%proxy, worker, boot_id, release, "worker reports");
                self.instance.insert(instance)
            }
            (Some(first), Some(instance)) if *first != instance => {
                return Err(Status::invalid_argument("a stream is of one instance"));
            }
            (Some(first), _) => first,
        };
        let applied = self
            .state
            .report(instance, report)
            .map_err(|error| refused(&error))?;
        self.state
            .metrics
            .report(if applied.taken { "taken" } else { "repeated" });
        self.acked = applied.sequence;
        Ok(ReportResponse {
            acked: applied.sequence,
            wants_keys: applied.wants_keys,
        })
    }

    fn proxy(&self) -> &str {
        self.instance
            .as_ref()
            .map_or("", |instance| &instance.proxy)
    }
}

fn refused(error: &LedgerError) -> Status {
    let text = error.to_string();
    match error {
        LedgerError::NoProxyName
        | LedgerError::ProxyNameTooLong(_)
        | LedgerError::KeyLength(_)
        | LedgerError::WrongDigest => Status::invalid_argument(text),
        LedgerError::EarlierLife => Status::failed_precondition(text),
        LedgerError::TooManyKeys(_)
        | LedgerError::TooManyInstances
        | LedgerError::Full
        | LedgerError::TooManyTables => Status::resource_exhausted(text),
    }
}
