//! One subscriber's stream: what it has, what is under way to it, what it says.

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::time::{self, Instant, Interval, MissedTickBehavior};
use tonic::{Status, Streaming, codegen::Bytes};
use wakegate_runtime::{Refusals, StreamEnd, refusals::is_garbage};
use wakegate_wire::v1::{self, watch_request, watch_response::Response};

use super::{
    Shared, Snapshots,
    scope::Scope,
    update::{self, Sending},
    workers::Seat,
};
use crate::{
    metrics::{AckOutcome, OpenStream, UpdateKind},
    refusals::PROTOCOL,
};

/// A subscriber hears something at least so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long an update may wait for its ack. A worker applies the largest table in a fraction of this;
/// one that does not answer in time starts anew.
const ACK_LIMIT: Duration = Duration::from_secs(10);

/// One subscriber's stream. Polled only as fast as the subscriber reads.
#[derive(Debug)]
pub(super) struct Subscription {
    shared: Arc<Shared>,
    inbound: Streaming<v1::WatchRequest>,
    snapshots: Snapshots,
    scope: Scope,
    seat: Seat,
    heartbeat: Interval,
    /// When it is to look for a replica anew.
    end: StreamEnd,
    /// The version that it has; none is no table, or one that it must not build upon.
    has: Option<String>,
    /// There may be something newer than what it has.
    is_behind: bool,
    sending: Option<Sending>,
    in_flight: Option<InFlight>,
    _open: OpenStream,
}

#[derive(Debug)]
struct InFlight {
    version: String,
    deadline: Instant,
}

/// What a stream woke up for.
enum Woken {
    Shutdown,
    Request(Result<Option<v1::WatchRequest>, Status>),
    Snapshot(bool),
    Heartbeat,
    AckOverdue,
    Aged,
}

impl Subscription {
    pub(super) fn new(
        shared: Arc<Shared>,
        inbound: Streaming<v1::WatchRequest>,
        scope: Scope,
        seat: Seat,
    ) -> Self {
        let mut heartbeat = time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (snapshots, end) = (shared.snapshots.clone(), shared.stream_age.some_end());
        let open = shared.metrics.streams.subscribed(seat.role());
        let (has, sending, in_flight) = (None, None, None);
        let is_behind = true;
        Self {
            shared,
            inbound,
            snapshots,
            scope,
            seat,
            heartbeat,
            end,
            has,
            is_behind,
            sending,
            in_flight,
            _open: open,
        }
    }

    /// With the version that the subscriber says it has.
    pub(super) fn having(mut self, version: &str) -> Self {
        self.has = (!version.is_empty()).then(|| version.to_owned());
        self
    }

    /// What is sent next; nothing when the stream ends well.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        loop {
            if self.is_idle() && self.end.is_due(Instant::now()) {
                tracing::debug!(proxy = self.seat.proxy(), "subscriber is to look anew");
                return None;
            }
            if let Some(message) = self.next_part() {
                return Some(Ok(message));
            }
            match self.wake().await {
                Woken::Shutdown | Woken::Snapshot(false) | Woken::Request(Ok(None)) => return None,
                Woken::Aged => {}
                Woken::Snapshot(true) => self.is_behind = true,
                Woken::Request(Ok(Some(request))) => {
                    if let Err(status) = self.on_request(request) {
                        self.refuse(PROTOCOL, &status);
                        return Some(Err(status));
                    }
                }
                Woken::Request(Err(status)) if is_garbage(&status) => {
                    self.refuse(Refusals::GARBAGE, &status);
                    return Some(Err(status));
                }
                Woken::Request(Err(error)) => {
                    tracing::debug!(proxy = self.seat.proxy(), %error, "subscriber is gone");
                    return None;
                }
                Woken::Heartbeat => {
                    let workers = self.seat.n_workers();
                    let heartbeat = v1::Heartbeat { workers };
                    return Some(Ok(update::message(Response::Heartbeat(heartbeat))));
                }
                Woken::AckOverdue => {
                    self.shared.metrics.acked(AckOutcome::TimedOut);
                    let reason = format!("no ack came within {ACK_LIMIT:?}");
                    return Some(Err(Status::deadline_exceeded(reason)));
                }
            }
        }
    }

    fn refuse(&self, reason: &'static str, status: &Status) {
        let refusals = &self.shared.metrics.refusals;
        refusals.refuse(reason, self.seat.proxy(), status);
    }

    /// Whether no update is under way. One that is would have to be sent anew by the next replica.
    fn is_idle(&self) -> bool {
        self.sending.is_none() && self.in_flight.is_none()
    }

    /// The next part of what is under way, or the first of what is to be.
    fn next_part(&mut self) -> Option<Bytes> {
        if self.is_idle() && self.is_behind {
            self.begin();
        }
        let sending = self.sending.as_mut()?;
        let part = sending.next();
        if part.is_none() {
            let version = sending.version().to_string();
            let deadline = Instant::now() + ACK_LIMIT;
            self.sending = None;
            self.in_flight = Some(InFlight { version, deadline });
        }
        part
    }

    fn begin(&mut self) {
        let Some(snapshot) = self.snapshots.borrow_and_update().clone() else {
            return;
        };
        self.is_behind = false;
        let has = self.has.as_deref();
        let Some(next) = self.shared.views.next(&self.scope, &snapshot, has) else {
            // It said so itself, by its hello or its last ack.
            self.seat.applied(self.has.clone().unwrap_or_default());
            return;
        };
        self.is_behind = !next.is_newest;
        let kind = if next.update.is_full {
            UpdateKind::Full
        } else {
            UpdateKind::Difference
        };
        self.shared.metrics.update_sent(kind);
        self.sending = Some(Sending::new(next.update));
    }

    async fn wake(&mut self) -> Woken {
        let overdue = self.in_flight.as_ref().map(|in_flight| in_flight.deadline);
        let overdue = match overdue {
            Some(deadline) => time::sleep_until(deadline).left_future(),
            None => std::future::pending().right_future(),
        };
        let aged = if self.is_idle() {
            self.end.due().left_future()
        } else {
            std::future::pending().right_future()
        };
        tokio::select! {
            () = self.shared.shutdown.cancelled() => Woken::Shutdown,
            request = self.inbound.message() => Woken::Request(request),
            changed = self.snapshots.changed() => Woken::Snapshot(changed.is_ok()),
            () = self.seat.workers_changed() => Woken::Heartbeat,
            _ = self.heartbeat.tick() => Woken::Heartbeat,
            () = overdue => Woken::AckOverdue,
            () = aged => Woken::Aged,
        }
    }

    fn on_request(&mut self, request: v1::WatchRequest) -> Result<(), Status> {
        let v1::Ack { version, error } = match request.request {
            Some(watch_request::Request::Ack(ack)) => ack,
            Some(watch_request::Request::Hello(_)) => {
                return Err(Status::invalid_argument("a stream has one hello"));
            }
            // A newer peer may say what is not known here.
            None => return Ok(()),
        };
        if self
            .in_flight
            .as_ref()
            .is_none_or(|in_flight| in_flight.version != version)
        {
            return Ok(());
        }
        self.in_flight = None;
        if error.is_empty() {
            self.shared.metrics.acked(AckOutcome::Applied);
            self.seat.applied(version.clone());
            self.has = Some(version);
            return Ok(());
        }
        // The old table goes on there. What it refused is not sent again; the next table is, whole.
        let (proxy, worker) = (self.seat.proxy(), self.seat.worker());
        if let Some(left_out) = self.shared.metrics.refusals.line_due("nack") {
            tracing::warn!(proxy, worker, version, error, left_out, "table was refused");
        }
        self.shared.metrics.acked(AckOutcome::Refused);
        self.seat.refused(version, error);
        self.has = None;
        Ok(())
    }
}
