//! A stream that can be ended from outside.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Place;

/// A stream with its place. It ends when its client does not read.
#[derive(Debug)]
pub struct Guarded<S> {
    slot: Arc<Slot<S>>,
    _place: Place,
}

/// A stream, until it was ended.
pub(super) struct Slot<S> {
    state: Mutex<State<S>>,
}

struct State<S> {
    stream: Option<Pin<Box<S>>>,
    asked: Instant,
}

/// What may have gone unread.
pub(super) trait Unread: fmt::Debug + Send + Sync {
    /// Ends it when it was not asked for so long; whether it did.
    fn end_if_unread(&self, now: Instant, patience: Duration) -> bool;
}

impl<S> Guarded<S> {
    pub(super) fn new(slot: Arc<Slot<S>>, place: Place) -> Self {
        Self {
            slot,
            _place: place,
        }
    }
}

impl<S: Stream> Stream for Guarded<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut state = self.slot.state.lock();
        state.asked = Instant::now();
        match &mut state.stream {
            Some(stream) => stream.as_mut().poll_next(context),
            None => Poll::Ready(None),
        }
    }
}

impl<S> Slot<S> {
    pub(super) fn new(stream: S) -> Self {
        let state = State {
            stream: Some(Box::pin(stream)),
            asked: Instant::now(),
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl<S: Send> Unread for Slot<S> {
    fn end_if_unread(&self, now: Instant, patience: Duration) -> bool {
        // One that is being asked at this moment is read.
        let Some(mut state) = self.state.try_lock() else {
            return false;
        };
        if now.saturating_duration_since(state.asked) < patience {
            return false;
        }
        let ended = state.stream.take();
        drop(state);
        ended.is_some()
    }
}

impl<S> fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::{StreamExt as _, stream};

    use super::super::{Clients, Limits, PATIENCE};

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_not_read_gives_up_what_it_keeps_and_then_its_place() {
        let clients = Clients::new(Limits {
            total: 1,
            per_connection: 1,
        });
        let kept = Arc::new(());
        let keeps = Arc::clone(&kept);
        let forever = stream::repeat_with(move || Arc::strong_count(&keeps));
        let mut guarded = clients.guard(clients.admit(None).unwrap(), forever);
        assert_eq!(guarded.next().await, Some(2));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(guarded.next().await, Some(2), "it is read");
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(clients.end_unread(), 0);
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(clients.end_unread(), 1);
        assert_eq!(Arc::strong_count(&kept), 1);
        assert_eq!(clients.end_unread(), 0, "once");
        assert_eq!(guarded.next().await, None);
        drop(guarded);
        clients.admit(None).unwrap();
    }
}
