//! An API server: one watch for each kind, or for each kind and namespace, and what they come to.
//!
//! ```text
//! watch ─┐ news                     Reload
//! watch ─┼──────► Gathered ─ once all are synced ─► publish
//! watch ─┘
//! ```
//! No object is kept here: each is trimmed, converted and handed on. What stays is its name, so that a
//! list which comes anew tells who is gone. While the API server is away the last state is in force.

mod client;
mod gathered;
mod log;
mod place;
mod reach;
mod received;
mod trim;
mod trouble;
mod watch;

use std::{collections::BTreeSet, fmt, time::Instant};

use futures::{FutureExt as _, StreamExt as _, stream};
use kube::Client;
use tokio_util::sync::CancellationToken;

pub use self::client::connect;
pub use self::reach::Reach;
pub(crate) use self::watch::WATCH_SECS;

use self::{
    gathered::Gathered,
    log::Log,
    place::Place,
    watch::{News, watch},
};
use super::Reload;
use crate::metrics::Metrics;

/// The namespaces that are watched, at an API server.
pub struct Source {
    client: Client,
    places: Vec<Place>,
    reach: Reach,
    metrics: Metrics,
}

/// Changes that are published together at most, once everything is synced: a burst must not keep the
/// first of its changes waiting.
const MAX_BATCH: usize = 1_000;

impl Source {
    /// A source of `namespaces`, or of every one where it is empty; nothing is read yet.
    ///
    /// What cannot be watched is told to `reach`.
    pub fn new(
        client: Client,
        namespaces: &BTreeSet<String>,
        reach: Reach,
        metrics: Metrics,
    ) -> Self {
        let places = place::places(namespaces);
        Self {
            client,
            places,
            reach,
            metrics,
        }
    }

    /// Hands all objects to `publish`, together and once every list was read, and from then on each
    /// change, until the shutdown.
    ///
    /// # Errors
    /// None: what the API server refuses is tried again.
    pub async fn run(
        self,
        mut publish: impl FnMut(Reload),
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let Self {
            client,
            places,
            reach,
            metrics,
        } = self;
        let watches = places.iter().enumerate().map(|(at, place)| {
            let client = reach.observing(client.clone(), place.to_string());
            let news = watch(client, place.clone());
            news.map(move |news| (at, news)).boxed()
        });
        let mut watches = stream::select_all(watches);
        let mut gathered = Gathered::new(&places);
        let mut log = Log::default();
        let mut on_news = |gathered: &mut Gathered, (at, news): (usize, News)| {
            match (&news, places.get(at)) {
                (News::Trouble(trouble), Some(place)) => {
                    metrics.watch_failed(place.kind);
                    reach.failed(place.kind.as_str(), &place.to_string());
                    log.on_trouble(place, trouble, Instant::now());
                }
                // The server has answered, and there is nothing to watch.
                (News::Missing, Some(place)) => reach.works(&place.to_string()),
                (News::Event(_), _) | (_, None) => {}
            }
            if let Some(kind) = gathered.on_news(at, news) {
                metrics.watch_restarted(kind);
            }
        };
        loop {
            let first = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                first = watches.next() => first,
            };
            let Some(first) = first else {
                return Ok(());
            };
            let begin = Instant::now();
            on_news(&mut gathered, first);
            // What is at hand already comes along; nothing is waited for.
            while gathered.n_changes() < MAX_BATCH {
                match watches.next().now_or_never().flatten() {
                    Some(more) => on_news(&mut gathered, more),
                    None => break,
                }
            }
            if let Some(mut reload) = gathered.take() {
                reload.took = begin.elapsed();
                publish(reload);
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}
