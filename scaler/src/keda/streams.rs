//! The two streams that KEDA holds open for each trigger.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wakegate_core::{Push, Say, View};
use wakegate_wire::externalscaler::{GetMetricSpecResponse, IsActiveResponse};

use super::specs;
use crate::{
    metrics::OpenStream,
    state::{News, Refusal, State, Trigger},
};

/// One `StreamIsActive`.
pub(super) struct Activity {
    state: Arc<State>,
    trigger: Trigger,
    drain: CancellationToken,
    push: Push,
    news: Option<News>,
    /// The report that woke the stream last.
    cause: Option<Duration>,
    _open: OpenStream,
}

/// One `StreamMetricSpec`.
pub(super) struct Specs {
    state: Arc<State>,
    trigger: Trigger,
    drain: CancellationToken,
    news: Option<News>,
    told: Option<GetMetricSpecResponse>,
    _open: OpenStream,
}

/// What to do after a look at the workload.
enum Next {
    Say,
    End,
    Wait(Option<Duration>),
    WaitForTable,
    LookAgain,
}

impl Activity {
    /// Opens a stream, unless the trigger means nothing. While there is no table, that is not known.
    pub(super) fn open(
        state: &Arc<State>,
        trigger: Trigger,
        drain: &CancellationToken,
    ) -> Result<impl Stream<Item = Result<IsActiveResponse, Status>> + Send + use<>, Refusal> {
        match state.look(&trigger) {
            Ok(_) | Err(Refusal::NoTable) => {}
            Err(refusal) => return Err(refusal),
        }
        let owes_reset = state.owes_reset(&trigger);
        let push = Push::open(state.now(), trigger.window, owes_reset, rand::random());
        let stream = Self {
            state: Arc::clone(state),
            drain: drain.clone(),
            push,
            news: None,
            cause: None,
            _open: state.metrics.stream("StreamIsActive"),
            trigger,
        };
        Ok(stream::unfold(stream, Self::next))
    }

    /// The next `true`; none when the stream ends with OK.
    async fn next(mut self) -> Option<(Result<IsActiveResponse, Status>, Self)> {
        while !self.drain.is_cancelled() {
            match self.decide() {
                Next::Say => {
                    self.state.metrics.pushes.inc();
                    if let Some(cause) = self.cause.take() {
                        self.state
                            .metrics
                            .woke_after(self.state.now().saturating_sub(cause));
                    }
                    return Some((Ok(IsActiveResponse { result: true }), self));
                }
                Next::End => return None,
                Next::Wait(again) => self.wait(again).await,
                Next::WaitForTable => {
                    self.drain.run_until_cancelled(self.state.loaded()).await;
                }
                Next::LookAgain => {}
            }
        }
        None
    }

    fn decide(&mut self) -> Next {
        let look = match self.state.look(&self.trigger) {
            Ok(look) => look,
            Err(Refusal::NoTable) => return Next::WaitForTable,
            // KEDA comes back, and is told why then.
            Err(refusal) => {
                tracing::info!(
                    namespace = self.trigger.namespace,
                    name = self.trigger.name,
                    error = %refusal,
                    "stream ends"
                );
                return Next::End;
            }
        };
        if follow(&mut self.news, &self.state, &look.workload.id) {
            return Next::LookAgain;
        }
        let now = self.state.now();
        let view = View::of(&look.workload, &look.scale);
        match self.push.on(now, view, rand::random()) {
            Say::True => Next::Say,
            Say::Nothing => {
                self.cause = None;
                Next::Wait(
                    self.push
                        .again_at(now)
                        .map(|again| again.saturating_sub(now)),
                )
            }
            Say::End => {
                self.state.did_reset(&self.trigger);
                Next::End
            }
        }
    }

    async fn wait(&mut self, again: Option<Duration>) {
        let Some(news) = &mut self.news else { return };
        let again = async {
            match again {
                Some(again) => sleep(again).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = again => {}
            told = news.demand.changed() => match told {
                Ok(()) => self.cause = Some(*news.demand.borrow()),
                Err(_) => self.news = None,
            },
        }
    }
}

impl Specs {
    /// Opens a stream, unless the trigger means nothing.
    pub(super) fn open(
        state: &Arc<State>,
        trigger: Trigger,
        drain: &CancellationToken,
    ) -> Result<impl Stream<Item = Result<GetMetricSpecResponse, Status>> + Send + use<>, Refusal>
    {
        specs(state, &trigger)?;
        let stream = Self {
            state: Arc::clone(state),
            drain: drain.clone(),
            news: None,
            told: None,
            _open: state.metrics.stream("StreamMetricSpec"),
            trigger,
        };
        Ok(stream::unfold(stream, Self::next))
    }

    /// The specs, when they are others than before; none when the stream ends with OK.
    async fn next(mut self) -> Option<(Result<GetMetricSpecResponse, Status>, Self)> {
        while !self.drain.is_cancelled() {
            let id = self
                .state
                .look(&self.trigger)
                .map(|look| look.workload.id.clone());
            if let Ok(id) = &id
                && follow(&mut self.news, &self.state, id)
            {
                continue;
            }
            let specs = specs(&self.state, &self.trigger).ok()?;
            if self.told.as_ref() != Some(&specs) {
                self.told = Some(specs.clone());
                return Some((Ok(specs), self));
            }
            match &mut self.news {
                Some(news) if id.is_ok() => {
                    let told = self
                        .drain
                        .run_until_cancelled(news.targets.changed())
                        .await?;
                    if told.is_err() {
                        self.news = None;
                    }
                }
                _ => self.drain.run_until_cancelled(self.state.loaded()).await?,
            }
        }
        None
    }
}

/// Listens to the workload, and says whether it did not before: then what was looked up may be old.
fn follow(news: &mut Option<News>, state: &State, id: &str) -> bool {
    if news.as_ref().is_some_and(|news| news.id == id) {
        return false;
    }
    *news = Some(state.listen(id));
    true
}
