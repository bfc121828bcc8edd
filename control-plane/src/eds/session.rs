//! One Envoy's stream: what is due goes out, what it asks for is noted. Which messages carry that is the
//! protocol's.

use std::sync::Arc;

use futures::stream;
use tokio::time::Instant;
use tonic::{Status, Streaming};
use wakegate_runtime::StreamEnd;

use super::{
    Responses, Shared,
    assignment::{Assignment, TYPE_URL},
    names::{Names, at},
};
use crate::{metrics::OpenStream, push::Snapshots};

/// How one of the two protocols asks and answers.
pub(super) trait Protocol: Sized + 'static {
    type Request: Send + 'static;
    type Response: Send + 'static;

    /// The type that is asked for, and why the last response was refused, if it was.
    fn about(request: &Self::Request) -> (&str, Option<&str>);

    /// Notes what is wanted from now on.
    fn subscribe(names: &mut Names, request: Self::Request) -> Result<(), Status>;

    fn response(due: Vec<(String, Assignment)>, version: String, nonce: String) -> Self::Response;
}

/// One Envoy's stream.
#[derive(Debug)]
pub(super) struct Session<P: Protocol> {
    shared: Arc<Shared>,
    inbound: Streaming<P::Request>,
    snapshots: Snapshots,
    names: Names,
    /// When the Envoy is to look for a replica anew.
    end: StreamEnd,
    n_sent: u64,
    _open: OpenStream,
}

impl<P: Protocol> Session<P> {
    pub(super) fn new(shared: Arc<Shared>, inbound: Streaming<P::Request>) -> Self {
        let (snapshots, end) = (shared.snapshots.clone(), shared.stream_age.some_end());
        let open = shared.metrics.streams.envoy();
        Self {
            shared,
            inbound,
            snapshots,
            names: Names::default(),
            end,
            n_sent: 0,
            _open: open,
        }
    }

    /// What is sent, until the shutdown, the Envoy's end, or an error.
    pub(super) fn responses(self) -> Responses<P::Response> {
        Box::pin(stream::unfold(Some(self), async |session| {
            let mut session = session?;
            match session.next().await? {
                Ok(response) => Some((Ok(response), Some(session))),
                Err(status) => Some((Err(status), None)),
            }
        }))
    }

    /// What is sent next; nothing when the stream ends well.
    async fn next(&mut self) -> Option<Result<P::Response, Status>> {
        loop {
            if let Some(response) = self.due() {
                return Some(Ok(response));
            }
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return None,
                () = self.end.due() => return None,
                request = self.inbound.message() => match request {
                    Ok(Some(request)) => {
                        if let Err(status) = self.on_request(request) {
                            return Some(Err(status));
                        }
                    }
                    Ok(None) | Err(_) => return None,
                },
                () = at(self.names.next_due()) => {}
                changed = self.snapshots.changed() => if changed.is_err() { return None },
            }
        }
    }

    fn due(&mut self) -> Option<P::Response> {
        let snapshot = self.snapshots.borrow_and_update().clone()?;
        let due = self.names.take_due(Instant::now(), &snapshot);
        if due.is_empty() {
            return None;
        }
        self.n_sent += 1;
        self.shared.metrics.eds_sent();
        let (version, nonce) = (snapshot.sequence.to_string(), self.n_sent.to_string());
        Some(P::response(due, version, nonce))
    }

    fn on_request(&mut self, request: P::Request) -> Result<(), Status> {
        let (type_url, refusal) = P::about(&request);
        // Over ADS an Envoy asks for other types as well. There is nothing to say about them.
        if !matches!(type_url, TYPE_URL | "") {
            tracing::debug!(type_url, "type is not served");
            return Ok(());
        }
        if let Some(error) = refusal {
            let metrics = &self.shared.metrics;
            if let Some(left_out) = metrics.refusals.line_due("endpoints") {
                tracing::warn!(error, left_out, "endpoints were refused");
            }
            metrics.eds_refused();
        }
        P::subscribe(&mut self.names, request)
    }
}
